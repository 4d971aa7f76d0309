"""A shared cache in front of nginx (A235): nobody ever gets what was somebody else's."""

import random
import re
from collections.abc import Iterator

import pytest

from tests.offload.conftest import House
from tests.offload.nginx import TEMPORARY, account, free_port, started

pytestmark = pytest.mark.xdist_group("caches")

ROUNDS = 150
SEED = 20261122
CACHE = """
user {user}; worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; {temporary}
  proxy_cache_path {work}/cache keys_zone=shared:1m inactive=10m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_set_header Host $http_host;
      proxy_cache shared;
      proxy_cache_key $request_method$request_uri;
      add_header X-Cache $upstream_cache_status always;
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def cache(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an nginx that keeps for everybody whatever it may keep."""
    work, port = tmp_path_factory.mktemp("cache"), free_port()
    temporary = " ".join(f"{name}_temp_path {work}/{name};" for name in TEMPORARY)
    config = CACHE.format(user=account(), work=work, port=port, upstream=house.nginx.port, temporary=temporary)
    with started(config, work, port):
        yield port


def test_the_cache_keeps_what_is_public(house: House, cache: int) -> None:
    found = re.search(r'"(/static/portal\.css[^"]*)"', house.ask("/login", port=cache).body.decode())
    assert found is not None
    kept = [house.ask(found[1], port=cache).get("X-Cache") for _ in range(3)]

    assert kept[-1] == "HIT", "or the test below proves nothing"


def test_nobody_gets_a_body_or_a_cookie_of_somebody_else(house: House, cache: int) -> None:
    choice = random.Random(SEED)
    people = [house.reader("Ada"), house.reader("Grace")]
    names = [f"mark-{number}-{choice.randrange(10**9)}" for number in (0, 1)]
    mine = [house.private(name.encode() * 50, reader) for name, reader in zip(names, people, strict=True)]
    shared = house.document(b"for both" * 500)
    paths = ["/", "/account", "/login", "/search?q=mark", "/nowhere", f"/documents/{shared}/download"]
    paths += [f"/documents/{document_id}/download" for document_id in mine]
    paths += [f"/documents/{document_id}" for document_id in (*mine, shared)]
    allowed = [0, 0]
    for _ in range(ROUNDS):
        who, path = choice.randrange(2), choice.choice(paths)
        headers = choice.choice([{}, {"Range": "bytes=0-99"}, {"If-None-Match": '"other"'}])
        method = choice.choice(["GET", "GET", "GET", "HEAD"])
        answer = house.ask(path, headers, method=method, port=cache, reader=people[who])

        other = 1 - who
        assert names[other].encode() not in answer.body
        assert people[other].name.encode() not in answer.body
        assert answer.get("X-Cache") != "HIT", path
        assert people[other].token not in str(answer.headers)
        if path == f"/documents/{mine[other]}/download":
            assert answer.status == 404
        if path == f"/documents/{mine[who]}/download" and method == "GET":
            assert answer.body[:20] == (names[who].encode() * 50)[:20]
            allowed[who] += 1
    assert min(allowed) > 0


def test_after_signing_out_the_cache_has_nothing_left(house: House, cache: int) -> None:
    reader = house.reader()
    document_id = house.document(b"seen before" * 100)
    path = f"/documents/{document_id}/download"
    assert house.ask(path, port=cache, reader=reader).status == 200

    assert house.ask(path, port=cache).status == 302
