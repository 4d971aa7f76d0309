/* Is my copy current? Somebody chooses the copy they have; it is read and hashed here, slice by slice, and nothing but its
   SHA-256 leaves. By code of our own: what browsers bring along wants the whole file in memory, and is missing where a portal is
   reached by plain http. Between two slices the page answers, and the copy may be as large as a disk. */

const SLICE = 1024 * 1024;
const FAILED = "The browser could not read the copy. Choose it again, or paste its SHA-256.";
const UNANSWERED = "The portal did not answer. Load this page again, and choose the copy once more.";
const ROUNDS = Int32Array.of(
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
);

const turned = (word, by) => (word >>> by) | (word << (32 - by));

/* SHA-256 as FIPS 180-4 has it, of bytes that come in pieces of any length. */
export class Sha256 {
  #state = Int32Array.of(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
  #words = new Int32Array(64);
  #rest = new Uint8Array(64);
  #length = 0;

  update(bytes) {
    const held = this.#length % 64;
    let start = 0;
    this.#length += bytes.length;
    if (held) {
      start = Math.min(64 - held, bytes.length);
      this.#rest.set(bytes.subarray(0, start), held);
      if (held + start < 64) return this;
      this.#mix(this.#rest, 0);
    }
    for (; start + 64 <= bytes.length; start += 64) this.#mix(bytes, start);
    this.#rest.set(bytes.subarray(start));
    return this;
  }

  /* In hex. A bit, zeros, and how many bits came, in eight bytes; after that nothing can be added. */
  digest() {
    const held = this.#length % 64;
    const end = new Uint8Array((held < 56 ? 64 : 128) - held);
    const view = new DataView(end.buffer);
    end[0] = 0x80;
    view.setUint32(end.length - 8, Math.floor(this.#length / 2 ** 29));
    view.setUint32(end.length - 4, this.#length << 3);
    this.update(end);
    return [...this.#state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /* One block. Spelled out and without lists made on the way: this is where all the time goes. */
  #mix(bytes, start) {
    const words = this.#words;
    const state = this.#state;
    for (let i = 0, at = start; i < 16; i += 1, at += 4) {
      words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const early = words[i - 15];
      const late = words[i - 2];
      const low = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
      const high = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
      words[i] = (words[i - 16] + low + words[i - 7] + high) | 0;
    }
    let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i += 1) {
      const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
      const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0;
      d = c; c = b; b = a; a = (one + two) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
}

/* Slices are read one after the other, and only while nobody has stopped it. */
async function hashed(file, signal, tell) {
  const sum = new Sha256();
  for (let start = 0; start < file.size; start += SLICE) {
    sum.update(new Uint8Array(await file.slice(start, start + SLICE).arrayBuffer()));
    signal.throwIfAborted();
    tell(Math.min(start + SLICE, file.size) / file.size);
  }
  return sum.digest();
}

/* The page with the answer, read by the browser as a page by itself: no markup is made from text here. */
function asked(form, hash) {
  return new Promise((resolve, reject) => {
    const question = new XMLHttpRequest();
    question.open("GET", `${form.action}?sha256=${hash}`);
    question.responseType = "document";
    question.addEventListener("loadend", () => {
      const found = question.response?.getElementById("copy-answer");
      if (found) resolve(found); else reject(new Error(UNANSWERED));
    });
    question.send();
  });
}

function offer(form) {
  const [choosing, comparing] = ["choosing", "comparing"].map((name) => form.querySelector(`[data-${name}]`));
  const [input, bar, stop] = [choosing.querySelector("input"), comparing.querySelector("progress"), comparing.querySelector("button")];
  const [words, answer] = [comparing.querySelector("[data-words]"), document.getElementById("copy-answer")];
  let running = new AbortController();

  const say = (sentence) => {
    words.textContent = sentence;
    comparing.hidden = !sentence;
    bar.hidden = stop.hidden = running.signal.aborted;
  };

  const compare = async (file) => {
    running.abort();
    const { signal } = running = new AbortController();
    answer.replaceChildren();
    form.elements.sha256.value = "";
    bar.value = 0;
    say(`Reading ${file.name}`);
    try {
      const hash = await hashed(file, signal, (part) => { bar.value = part; });
      const found = await asked(form, hash);
      if (signal.aborted) return;
      form.elements.sha256.value = hash;
      answer.replaceChildren(...found.childNodes);
      running.abort();
      say("");
    } catch (problem) {
      if (signal.aborted) return;   // stopped, or another copy was chosen meanwhile
      running.abort();
      say(problem.message === UNANSWERED ? UNANSWERED : FAILED);
    }
  };

  stop.addEventListener("click", () => { running.abort(); say(""); input.value = ""; input.focus(); });
  input.addEventListener("change", () => { if (input.files.length) compare(input.files[0]); });
  choosing.hidden = false;
}

document.querySelectorAll("[data-copy-form]").forEach(offer);
