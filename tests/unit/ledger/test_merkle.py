"""Proofs equal the RFC's definition for every size, and what is not a proof is refused."""

import hashlib

import pytest
from tests.unit.ledger import model

from oathward.core.errors import LedgerError
from oathward.ledger import merkle

SIZES = 70


def entries(n: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(n)]


def leaves(n: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + e).digest() for e in entries(n)]


def tiles(hashes: list[bytes]) -> merkle.TileReader:
    """Tiles of a small tree, made from the definition and not from ``grow``."""

    def tile(level: int, index: int) -> bytes:
        nodes = list(hashes)
        for _ in range(8 * level):
            nodes = [merkle.join(a, b) for a, b in zip(nodes[::2], nodes[1::2], strict=False)]
        return b"".join(nodes[index * 256 : (index + 1) * 256])

    return tile


@pytest.mark.parametrize("size", range(1, SIZES))
def test_every_inclusion_proof_is_the_definitions_and_is_accepted(size):
    data, tile = entries(size), tiles(leaves(size))
    root = model.mth(data)
    assert merkle.root_at(tile, size) == root
    for index in range(size):
        proof = merkle.prove_inclusion(tile, index, size)
        assert proof == model.path(index, data)
        merkle.check_inclusion(index, size, leaves(size)[index], proof, root)


@pytest.mark.parametrize("new", range(1, SIZES))
def test_every_consistency_proof_is_the_definitions_and_is_accepted(new):
    data, tile = entries(new), tiles(leaves(new))
    for old in range(new + 1):
        proof = merkle.prove_consistency(tile, old, new)
        assert proof == model.consistency(old, data)
        merkle.check_consistency(old, new, model.mth(data[:old]), model.mth(data), proof)


@pytest.mark.parametrize(
    ("index", "size"), [(0, 600), (255, 600), (256, 600), (511, 600), (599, 600), (3, 257)]
)
def test_proofs_across_tiles(index, size):
    data, tile = entries(size), tiles(leaves(size))
    assert merkle.prove_inclusion(tile, index, size) == model.path(index, data)
    assert merkle.prove_consistency(tile, index + 1, size) == model.consistency(index + 1, data)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 33])
def test_a_changed_proof_is_refused(size):
    """Every single-bit change, every missing and every added hash, every other index and size."""
    data, tile = entries(size), tiles(leaves(size))
    root, hashes = model.mth(data), leaves(size)
    for index in range(size):
        good = merkle.prove_inclusion(tile, index, size)
        bad = [good[:n] + good[n + 1 :] for n in range(len(good))] + [[*good, root], [root, *good]]
        bad += [[*good[:n], bytes([h[0] ^ 1]) + h[1:], *good[n + 1 :]] for n, h in enumerate(good)]
        for proof in bad:
            with pytest.raises(LedgerError):
                merkle.check_inclusion(index, size, hashes[index], proof, root)
        for other in {index - 1, index + 1, size, -1} - {index}:
            with pytest.raises(LedgerError):
                merkle.check_inclusion(other, size, hashes[index], good, root)


def test_an_interior_node_is_not_a_leaf():
    """CVE-2012-2459 and second preimages: a node's two children as an entry hash to something else."""
    a, b = leaves(2)
    assert hashlib.sha256(b"\x00" + a + b).digest() != merkle.join(a, b)
    with pytest.raises(LedgerError):
        merkle.check_inclusion(0, 1, hashlib.sha256(b"\x00" + a + b).digest(), [], merkle.join(a, b))


@pytest.mark.parametrize(("old", "new"), [(3, 2), (-1, 2), (1, 2**64)])
def test_impossible_sizes_are_refused(old, new):
    with pytest.raises(LedgerError):
        merkle.check_consistency(old, new, merkle.EMPTY_ROOT, merkle.EMPTY_ROOT, [])


def test_a_longer_path_is_refused_even_where_it_leads_to_the_root():
    """A tree of one leaf whose "root" hides a second: only the length shows it."""
    leaf = leaves(1)[0]
    hiding = merkle.join(leaf, leaf)
    with pytest.raises(LedgerError, match="too long"):
        merkle.check_inclusion(0, 1, leaf, [leaf], hiding)


def test_a_short_tile_is_named():
    with pytest.raises(LedgerError) as error:
        merkle.prove_inclusion(lambda _level, _index: b"\0" * 40, 0, 4)
    assert error.value.where == "tile 0/0"


# The inputs and roots of the reference tests of RFC 6962's authors.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_known_roots():
    frontier = []
    for size, (entry, root) in enumerate(zip(INPUTS, ROOTS, strict=True)):
        merkle.grow(size, frontier, [hashlib.sha256(b"\x00" + bytes.fromhex(entry)).digest()])
        assert merkle.root_of(frontier).hex() == root
