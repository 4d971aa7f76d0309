/* Amounts, speeds and times left, as pages say them. */

import { sizeInWords } from "../portal.js";

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

export { sizeInWords };

/* "812 of 900 KB", "3.1 of 4.4 MB", "1.02 of 1.64 GB": both in the unit of the whole. */
export function partInWords(part, whole) {
  const unit = UNITS.findIndex((_, place) => whole < 999.5 * 1000 ** place || place === UNITS.length - 1);
  const scale = 1000 ** unit;
  const decimals = unit > 2 ? 2 : Number(unit > 1 && whole / scale < 9.95);
  return `${(part / scale).toFixed(decimals)} of ${(whole / scale).toFixed(decimals)} ${UNITS[unit]}`;
}

export function speedInWords(rate) {
  return `${sizeInWords(rate)}/s`;
}

export function timeInWords(seconds) {
  if (seconds < 10) return "a few seconds left";
  if (seconds < 50) return "less than a minute left";
  if (seconds < 90) return "about a minute left";
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} minutes left`;
  return `about ${Math.round(seconds / 3600)} hours left`;
}

export function counted(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
