"""``chainward attest``: sign a statement about an image, log it, and keep the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options
from chainward.faces.cli.signing import lines_of, shown, signing_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress
    from chainward.faces.cli.signing import SigningChoice
    from chainward.formats.intoto import Statement
    from chainward.kernel.digest import Digest

__all__ = ["command"]

_KINDS = ("provenance", "sbom", "test-result", "custom")
_LIMIT = 16 * 1024 * 1024


@click.command("attest")
@click.argument("image", type=click.Path(exists=True))
@click.option("--type", "kind", type=click.Choice(_KINDS), required=True, help="What is stated.")
@click.option(
    "--predicate", "path", type=click.Path(exists=True, dir_okay=False), required=True, help="File that holds it."
)
@click.option("--predicate-type", default=None, help="Predicate type URI; for --type custom.")
@click.option("--name", default="image", show_default=True, help="Name of the subject in the statement.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, help="File for the Sigstore bundle.")
@signing_options
@platform_options
@json_option
def command(
    *,
    image: str,
    kind: str,
    path: str,
    predicate_type: str | None,
    name: str,
    output: str,
    by: SigningChoice,
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Sign a statement about the image in IMAGE (an OCI layout, or the result folder of `chainward build`).

    Without --key an identity signs: that of --identity-token, else that of the CI job or workload where this runs.

    \b
    provenance   the provenance.json that `chainward build` wrote
    sbom         a CycloneDX document
    test-result  a file with the counts of a test run
    custom       any JSON object, with --predicate-type

    \b
    chainward attest out --name shop/web --key release.key --type sbom \\
        --predicate sbom.cdx.json -o sbom.sigstore.json
    """
    place = Path(output)
    workbench.check_output(place, Path(image), Path(path), *by.key_file)
    descriptor, _ = workbench.layout(Path(image)).manifest()
    content = workbench.read_bytes(Path(path), _LIMIT)
    statement = _statement(kind, name, descriptor.digest, content, predicate_type)
    with by.open(at) as signing:
        bundle = signing.statement(statement)
        facts = shown(signing, bundle)
    workbench.write_bytes(place, bundle)
    result = {
        "subject": str(descriptor.digest),
        "predicate_type": statement.predicate_type,
        **facts,
        "bundle": output,
    }
    lines = [f"stated   {statement.predicate_type}", f"about    {descriptor.digest}", *lines_of(facts)]
    emit(as_json, result, [*lines, f"written  {output}"])


def _statement(kind: str, name: str, digest: Digest, content: bytes, predicate_type: str | None) -> Statement:
    from chainward.attest.provenance import statement_of_provenance
    from chainward.attest.sbom import statement_of_sbom
    from chainward.attest.testresult import statement_of_tests
    from chainward.delivery.testresults import decode_test_results
    from chainward.formats.codec import decode_object
    from chainward.formats.intoto import ResourceDescriptor, Statement
    from chainward.formats.slsa import decode_provenance
    from chainward.kernel.digest import Digest

    subject = ResourceDescriptor.of(name, digest)
    match kind:
        case "provenance":
            predicate = decode_object(content, limit=_LIMIT, what="provenance")
            return statement_of_provenance(decode_provenance(predicate), [subject])
        case "sbom":
            return statement_of_sbom(name, digest, content)
        case "test-result":
            counts = decode_test_results(content)
            return statement_of_tests(name, digest, counts, suite="tests", report=Digest.of(content))
        case _:
            if predicate_type is None:
                raise click.UsageError("--type custom needs --predicate-type")
            return Statement((subject,), predicate_type, decode_object(content, limit=_LIMIT, what="predicate"))
