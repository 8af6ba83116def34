"""RSA public keys that are worth believing: of an agreed size, with the one exponent, and not known to be breakable.

A key that anybody can factor signs for everybody. What can be seen from the public half alone is refused: another
exponent than 65537, a small factor, two primes that stand side by side (Fermat's method finds them), and the shape that
one faulty smart-card library gave its keys (CVE-2017-15361, "ROCA": the modulus lies in the subgroup that 65537
generates modulo many small primes at once, which a sound modulus does with a probability below one in a hundred
million).
"""

from __future__ import annotations

from math import gcd, isqrt, prod
from typing import TYPE_CHECKING, Final

from chainward.keys.errors import KeyUnsupported
from chainward.keys.scheme import RSA_SCHEMES, Scheme

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["EXPONENT", "rsa_scheme"]

EXPONENT: Final = 65537
_FERMAT_ROUNDS: Final = 100
_SQUARES: Final = frozenset({0, 1, 4, 9})  # modulo 16; the rest needs no root
_SIEVE: Final = 752
_SHAPE: Final = 167


def rsa_scheme(key: RSAPublicKey) -> Scheme:
    """Return how ``key`` signs.

    Raises:
        KeyUnsupported: a size other than 2048, 3072 and 4096 bits, another exponent, or a modulus that can be factored.
    """
    scheme = RSA_SCHEMES.get(key.key_size)
    if scheme is None:
        raise KeyUnsupported(f"an RSA key of {key.key_size} bits is not used here", hint="Use 2048, 3072 or 4096 bits.")
    numbers = key.public_numbers()
    if numbers.e != EXPONENT:
        raise KeyUnsupported("an RSA key with another exponent than 65537 is not used here")
    if gcd(numbers.n, _PRODUCT) != 1 or _is_fermat_weak(numbers.n) or _is_roca(numbers.n):
        raise KeyUnsupported("this RSA key can be broken", hint="Make a new key, and replace what made this one.")
    return scheme


def _primes(limit: int) -> tuple[int, ...]:
    return tuple(n for n in range(2, limit) if all(n % divisor for divisor in range(2, isqrt(n) + 1)))


_PRODUCT: Final = prod(_primes(_SIEVE))
_SUBGROUPS: Final = tuple(
    (prime, frozenset(pow(EXPONENT, power, prime) for power in range(prime))) for prime in _primes(_SHAPE + 1)
)


def _is_fermat_weak(modulus: int) -> bool:
    root = isqrt(modulus) + 1
    for a in range(root, root + _FERMAT_ROUNDS):
        rest = a * a - modulus
        if rest % 16 in _SQUARES and isqrt(rest) ** 2 == rest:
            return True
    return isqrt(modulus) ** 2 == modulus


def _is_roca(modulus: int) -> bool:
    return all(modulus % prime in subgroup for prime, subgroup in _SUBGROUPS)
