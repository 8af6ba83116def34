"""The tour: a real project from source to an admitted workload, a tampered one stopped, a revoked one gone.

Run it with ``make tour``; ``make tour KEEP=1`` leaves the platform running until Ctrl-C. Every command is one that a
user would type; what it prints is its real output. The tour fails, with a status other than 0, as soon as something
does not go as it says.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

from stage import HERE, PIP_SETTINGS, SHOP, Stage, TourError

from chainward.attest.attach import bundle_artifact
from chainward.formats.bundle import decode_bundle
from chainward.formats.intoto import SLSA_PROVENANCE, TEST_RESULT
from chainward.formats.oci import Descriptor
from chainward.formats.rfc3161 import decode_response
from chainward.formats.sct import scts_of
from chainward.kernel.digest import Digest
from chainward.ledger.model import commitment
from chainward.ledger.proofs import leaf_hash, verify_inclusion
from chainward.trust.identity import identity_of
from chainward.trust.material import load_certificate

IMAGE = "shop/web"
LAB = "shop/lab"  # where the images that lack something go
BUILDER = "https://chainward.example/builders/tour"
LAYERS = ("build/site-packages:/srv/site-packages", "build/app:/srv/app")
PATIENCE_SECONDS = 10
EVIDENCE = ("sign", "provenance", "sbom", "test-result")
IDENTITIES = {  # who signs in this tour, as their CI jobs would be named
    "release": "https://ci.example.org/shop/release",
    "tester": "https://ci.example.org/shop/test",
    "stranger": "https://ci.example.org/mallory/release",
}


def main() -> int:
    """Walk through all steps."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the platform is stopped then as well
    stage = Stage(Path.cwd() / ".tour")
    started = time.monotonic()
    try:
        set_up(stage)
        digest = build(stage)
        bundles = inventory_and_attest(stage)
        push(stage, bundles)
        promote(stage, digest)
        admit(stage, digest)
        refuse(stage)
        tamper(stage, digest)
        revoke(stage, digest)
        tell(stage, digest)
        stage.conclude()
        stage.say(f"\n[bold green]Done[/bold green] in {time.monotonic() - started:.0f} seconds.")
        if "--keep" in sys.argv:
            keep(stage, digest)
    except TourError as failure:
        stage.console.print(f"[bold red]The tour failed:[/bold red] {failure}")
        return 1
    finally:
        stage.stop()
    return 0


def set_up(stage: Stage) -> None:
    """Create a platform, say whose signatures count, and activate the policy."""
    stage.step(
        "A platform in two commands",
        "SQLite and local files, one process, loopback only. No cloud, no root. It holds a certificate authority, a\n"
        "certificate log, a transparency log and a timestamp authority, so nobody has to keep a signing key.",
    )
    stage.run("init", "--data", str(stage.data), "--token-out", str(stage.folder / "admin.token"))
    stage.start()
    for name in IDENTITIES:
        _identify(stage, name, show=name == "release")
    who = ("--identity", IDENTITIES["release"], "--issuer", stage.issuer)
    stage.run("trust", "add", "release", *who, "--repositories", "shop/**")
    tester = ("--identity", IDENTITIES["tester"], "--issuer", stage.issuer)
    stage.run("trust", "add", "tester", *tester, "--repositories", "shop/**", "--predicate", TEST_RESULT, show=False)
    stage.run("service", "declare", "shop", "--owner", "team-shop", "--tier", "1", "--repositories", "shop/**")
    stage.run("policy", "activate", str(HERE / "policy.yaml"))
    roles = {"publisher": "publisher", "promoter": "promoter", "responder": "responder", "reader": "reader"}
    for name, role in roles.items():
        output = str(stage.folder / f"{name}.token")
        scope = "**" if role in {"promoter", "responder"} else "shop/**"
        stage.run("token", "issue", name, "--role", f"{role}:{scope}", "-o", output, show=name == "publisher")


def _identify(stage: Stage, name: str, *, show: bool) -> None:
    """Get the token that a CI system would give its job; here the platform's development issuer plays that part."""
    stage.run("token", "identity", "--subject", IDENTITIES[name], "-o", str(stage.folder / f"{name}.jwt"), show=show)


def build(stage: Stage) -> str:
    """Build the example project twice; both images have the same digest."""
    stage.step(
        "Build",
        "The shop is a small Python service with a hash-pinned lock file and a front end with a package-lock.json.\n"
        "`chainward build` wraps the real build, notes what went in and out, and assembles the image. No Docker.",
    )
    source = stage.folder / "shop"
    shutil.copytree(SHOP, source, ignore=shutil.ignore_patterns("build", "node_modules", "__pycache__"))
    _commit(source)
    first = _build(stage, "image", show=True, command=("python", "build.py"))
    second = _build(stage, "again", show=False, command=("python", "build.py"))
    if first != second:
        raise TourError(f"two builds of one source differ: {first} and {second}")
    stage.prove("Same input, same digest, twice", first)
    return first


def _commit(source: Path) -> None:
    """Put the source under version control, where git is there; provenance then names the commit."""
    git = shutil.which("git")
    if git is None:
        return
    identity = ["-c", "user.name=Shop", "-c", "user.email=shop@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "The shop"]):
        subprocess.run([git, "-C", source, *words], check=True, capture_output=True)


def _build(
    stage: Stage,
    name: str,
    *,
    show: bool,
    command: tuple[str, ...],
    labels: tuple[str, ...] = (),
    builder: str = BUILDER,
) -> str:
    words = ["build", "--source", str(stage.folder / "shop"), "-o", str(stage.folder / name)]
    words += ["--name", f"{IMAGE}:1.0", "--builder-id", builder, "--product", "build"]
    for layer in LAYERS:
        words += ["--layer", layer]
    words += [
        "--entrypoint",
        "python3",
        "--entrypoint",
        "/srv/app/serve.py",
        "--env",
        "PYTHONPATH=/srv/site-packages:/srv/app",
    ]
    for label in labels:
        words += ["--label", label]
    for setting in PIP_SETTINGS:
        words += ["--pass-env", setting]
    stage.run(*words, "--", *command, show=show)
    record = json.loads((stage.folder / name / "build.json").read_bytes())
    return str(record["image"]["digest"])


def inventory_and_attest(stage: Stage) -> list[Path]:
    """List what is in the image and sign what is known about it."""
    stage.step(
        "SBOM, statements, signatures",
        "The inventory of the image (CycloneDX 1.6, checked against the official schema), and four statements: who\n"
        "stands behind it, how it was built, what is in it, and that its tests passed. in-toto v1 in DSSE in Sigstore\n"
        "bundles v0.3, signed keyless: a key that lives for one signature, certified for the identity of the CI job.",
    )
    bundles = _evidence(stage, "image", dict.fromkeys(EVIDENCE, "release"), show=True)
    _look_into(stage, bundles)
    return bundles


def _look_into(stage: Stage, paths: list[Path]) -> None:
    """Show what the bundles prove: whose certificate, that it is logged, when it was used, and the entry in the log."""
    bundle = decode_bundle(paths[-1].read_bytes())
    certificate = load_certificate(bundle.certificates[0])
    identity = identity_of(certificate)
    minutes = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() / 60
    who = f"{identity.subject}, for whom {identity.issuer} vouches"
    stage.prove("Nobody keeps a key", f"a key certified for {minutes:.0f} minutes signed as {who}")
    [promise] = scts_of(bundle.certificates[0])
    stamp = decode_response(bundle.timestamps[0])
    stage.prove(
        "Who and when is proven, not said",
        f"certificate log: {promise.timestamp:%H:%M:%S} UTC (SCT); signature: {stamp.gen_time:%H:%M:%S} UTC (RFC 3161)",
    )
    entry = bundle.entries[0]
    stage.prove(
        "Every signature is in the log, with proof",
        f"index {entry.log_index}, {len(entry.proof.hashes)} hashes to the root of tree size {entry.proof.tree_size}",
    )


def _evidence(stage: Stage, image: str, signers: dict[str, str], *, show: bool) -> list[Path]:
    """Make the pieces of evidence for one image, each by its signer, and return their bundles."""
    folder = stage.folder / image
    bom = folder / "sbom.cdx.json"
    stage.run("sbom", str(folder), "-o", str(bom), "--name", IMAGE, "--validate", show=show)
    predicates = {
        "provenance": folder / "provenance.json",
        "sbom": bom,
        "test-result": stage.folder / "shop" / "build" / "test-results.json",
    }
    bundles = []
    for kind, signer in signers.items():
        bundle = folder / f"{kind}.sigstore.json"
        token = f"@{stage.folder / f'{signer}.jwt'}"
        common = ("--name", IMAGE, "--identity-token", token, "-o", str(bundle))
        if kind == "sign":
            stage.run("sign", str(folder), *common, show=show)
        else:
            stage.run("attest", str(folder), "--type", kind, "--predicate", str(predicates[kind]), *common, show=show)
        bundles.append(bundle)
    if show:
        document = json.loads(bom.read_bytes())
        edges = sum(len(entry.get("dependsOn", ())) for entry in document["dependencies"])
        stage.prove("The SBOM is valid and has edges", f"{len(document['components'])} components, {edges} edges")
    return bundles


def push(stage: Stage, bundles: list[Path]) -> None:
    """Push image and evidence, and verify what came out on the other side."""
    stage.step("Push", "Image, SBOM and bundles go into the built-in OCI registry; the evidence refers to its subject.")
    _push(stage, "image", f"{IMAGE}:1.0", bundles, show=True)
    words = ("verify", f"{IMAGE}:1.0", "--identity", IDENTITIES["release"], "--issuer", stage.issuer)
    stage.run(*words, actor="reader")
    verified = stage.ask(*words, actor="reader")["statements"]
    stage.prove("Who pulls can verify", f"{len(verified)} statements of {IDENTITIES['release']}, from the registry")


def _push(stage: Stage, image: str, name: str, bundles: list[Path], *, show: bool) -> None:
    words = ["push", str(stage.folder / image), f"{stage.host}/{name}"]
    for bundle in bundles:
        words += ["--bundle", str(bundle)]
    bom = stage.folder / image / "sbom.cdx.json"
    if any(bundle.name.startswith("sbom") for bundle in bundles):
        words += ["--sbom", str(bom)]
    stage.run(*words, actor="publisher", show=show)


def promote(stage: Stage, digest: str) -> None:
    """Promote to staging and prod; skipping a step is refused."""
    stage.step(
        "Promote", "dev → staging → prod. The evidence is verified again at each step, and the verdict is signed."
    )
    image = f"{IMAGE}@{digest}"
    stage.run("promote", image, "--to", "prod", actor="promoter", expect=1)
    stage.prove("No environment is skipped", "prod before staging was refused")
    for environment in _path_to_prod(stage):
        stage.run("promote", image, "--to", environment, actor="promoter")
    promoted = [fact["body"] for fact in _facts(stage, "delivery.promoted/1") if fact["body"]["digest"] == digest]
    if [body["environment"] for body in promoted] != _path_to_prod(stage):
        raise TourError(f"the promotions are not in the ledger: {promoted}")
    verdicts = ", ".join(f"{body['environment']} {body['vsa']}" for body in promoted)
    stage.prove("Promotion leaves signed verdicts", f"VSAs: {verdicts}")


def _path_to_prod(stage: Stage) -> list[str]:
    environments = stage.ask("service", "list")["environments"]
    return [str(each["name"]) for each in sorted(environments, key=lambda each: int(each["order"]))]


def admit(stage: Stage, digest: str) -> None:
    """Ask the gate as Kubernetes would: the tag is pinned, then the Pod is let in."""
    stage.step(
        "Admit",
        "A real AdmissionReview for a Pod in namespace prod. The tag is pinned to the digest, the Pod admitted.",
    )
    review = _review(stage, "prod", f"{stage.host}/{IMAGE}:1.0")
    stage.run("admit", str(review), "--mutate", actor="promoter")
    answer = stage.ask("admit", str(review), "--mutate", actor="promoter")
    if not answer["response"].get("patch"):
        raise TourError("the tag was not pinned")
    pinned = _review(stage, "prod", f"{stage.host}/{IMAGE}@{digest}")
    stage.run("admit", str(pinned), actor="promoter")
    stage.prove("The complete image is admitted", f"namespace prod, pinned to {digest[:19]}…")


def _review(stage: Stage, namespace: str, image: str) -> Path:
    """Write the recorded review of a Pod with another image and namespace."""
    review = json.loads((HERE / "pod-create.json").read_bytes())
    request = review["request"]
    request["namespace"] = namespace
    request["object"]["metadata"]["namespace"] = namespace
    spec = request["object"]["spec"]
    for container in (*spec["containers"], *spec["initContainers"]):
        container["image"] = image
    for volume in spec["volumes"]:
        volume["image"]["reference"] = image
    path = stage.folder / "review.json"
    path.write_text(json.dumps(review), encoding="utf-8")
    return path


def refuse(stage: Stage) -> None:
    """Five images that each lack one thing: each is denied for exactly that."""
    stage.step(
        "Refuse",
        "Five images that each lack one thing. Each is denied, with what failed and what to do about it. The stranger\n"
        "has a valid certificate; the tester is trusted here, but not to say how things were built.",
    )
    other = "https://elsewhere.example/builders/laptop"
    complete = dict.fromkeys(EVIDENCE, "release")
    without_sbom = {kind: signer for kind, signer in complete.items() if kind != "sbom"}
    cases: tuple[tuple[str, str, dict[str, str], str], ...] = (
        ("unsigned", BUILDER, {}, "signature"),
        ("stranger", BUILDER, dict.fromkeys(EVIDENCE, "stranger"), "signature"),
        ("wrong-attestor", BUILDER, {**complete, "provenance": "tester"}, "provenance"),
        ("no-sbom", BUILDER, without_sbom, "sbom"),
        ("other-builder", other, complete, "provenance"),
    )
    for name, builder, signers, failing in cases:
        digest = _build(stage, name, show=False, command=("true",), labels=(f"case={name}",), builder=builder)
        bundles = _evidence(stage, name, signers, show=False) if signers else []
        _push(stage, name, f"{LAB}:{name}", bundles, show=False)
        review = _review(stage, "dev", f"{stage.host}/{LAB}@{digest}")
        stage.say(f"\n[bold]{name}[/bold]")
        stage.run("admit", str(review), actor="promoter", expect=1)
        answer = stage.ask("admit", str(review), actor="promoter", expect=1)
        lines = str(answer["response"]["status"]["message"]).splitlines()
        failed = [line.strip() for line in lines if line.strip().startswith(f"{failing}:")]
        if not failed:
            raise TourError(f"{name} was denied, but not for its {failing}: {lines}")
        stage.prove(f"Denied: {name}", failed[0])


def tamper(stage: Stage, digest: str) -> None:
    """Change bytes behind the platform's back, three times; each is found."""
    stage.step(
        "Tamper", "A flipped byte on disk, a bundle replayed on another image, an edited row of the facts table."
    )
    _flip_a_byte(stage)
    _replay(stage)
    _edit_a_fact(stage, digest)


def _layer_of(stage: Stage, image: str) -> str:
    layers: list[str] = json.loads((stage.folder / image / "build.json").read_bytes())["image"]["layers"]
    return layers[-1]


def _flip_a_byte(stage: Stage) -> None:
    layer = _layer_of(stage, "image")
    algorithm, _, value = layer.partition(":")
    path = stage.data / "blobs" / algorithm / value[:2] / value
    original = path.read_bytes()
    middle = len(original) // 2
    path.chmod(0o600)
    path.write_bytes(original[:middle] + bytes([original[middle] ^ 1]) + original[middle + 1 :])
    with stage.http() as client:
        refused = client.get(f"/v2/{IMAGE}/blobs/{layer}")
    if refused.status_code < 400 or layer.encode() in refused.content[:0]:
        raise TourError(f"a tampered blob was served with status {refused.status_code}")
    facts = _facts(stage, "registry.integrity-violated/1")
    if not any(fact["body"]["digest"] == layer for fact in facts):
        raise TourError("nobody wrote down that the blob was tampered with")
    stage.say(
        f"one bit of {layer[:19]}… flipped on disk → pull answers {refused.status_code}: {refused.text.strip()[:200]}"
    )
    stage.prove(
        "A tampered blob is not served", f"status {refused.status_code}, fact {facts[-1]['index']} integrity-violated"
    )
    with stage.http("publisher") as client:
        upload = client.post(f"/v2/{IMAGE}/blobs/uploads/?digest={layer}", content=original)
        healed = client.get(f"/v2/{IMAGE}/blobs/{layer}")
    if upload.status_code != 201 or healed.content != original:
        raise TourError(
            f"pushing the right bytes again did not heal the blob: {upload.status_code}, {healed.status_code}"
        )
    stage.say("the right bytes pushed again heal it")


def _replay(stage: Stage) -> None:
    """Attach the valid provenance of one image to another one, as an attacker with the right to push would."""
    path = stage.folder / "image" / "provenance.sigstore.json"
    stage.run("verify", str(stage.folder / "unsigned"), "--bundle", str(path), expect=1)
    body = json.loads((stage.folder / "unsigned" / "image" / "index.json").read_bytes())["manifests"][0]
    victim = Descriptor(body["mediaType"], Digest.parse(body["digest"]), body["size"])
    artifact = bundle_artifact(path.read_bytes(), SLSA_PROVENANCE, victim)
    with stage.http("publisher") as client:
        for descriptor, content in artifact.blobs:
            client.post(f"/v2/{LAB}/blobs/uploads/?digest={descriptor.digest}", content=content).raise_for_status()
        client.put(
            f"/v2/{LAB}/manifests/{artifact.descriptor.digest}",
            content=artifact.manifest,
            headers={"Content-Type": artifact.descriptor.media_type},
        ).raise_for_status()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (rejected := [f for f in _facts(stage, "attest.rejected/1") if f["body"]["code"] == "subject-mismatch"]):
        if time.monotonic() > deadline:
            raise TourError("nobody wrote down that a bundle was replayed")
        time.sleep(0.05)
    stage.say(f"the same bundle pushed beside the other image → fact {rejected[-1]['index']} attest.rejected")
    stage.prove("A replayed bundle is rejected", "valid signature, another digest: subject-mismatch")


def _edit_a_fact(stage: Stage, digest: str) -> None:
    """Rewrite who pushed the image, directly in the database, and let the log find it."""
    stage.run("log", "verify", "--remember", str(stage.folder / "checkpoint"))
    pushed = next(fact for fact in _facts(stage, "registry.pushed/1") if fact["body"]["digest"] == digest)
    database = sqlite3.connect(stage.data / "chainward.db", timeout=30)
    with database:
        triggers = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type='trigger' AND tbl_name='fact'"
        ).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        (original,) = database.execute("SELECT envelope FROM fact WHERE idx=?", (pushed["index"],)).fetchone()
        forged = bytes(original).replace(b"publisher", b"nobody-xx")
        database.execute("UPDATE fact SET envelope=? WHERE idx=?", (forged, pushed["index"]))
    stage.say(f"the row of fact {pushed['index']} was rewritten in the database, triggers dropped")
    found = stage.run("log", "verify", expect=1)
    if f"fact {pushed['index']}" not in found:
        raise TourError("the audit did not name the edited fact")
    with database:
        database.execute("UPDATE fact SET envelope=? WHERE idx=?", (original, pushed["index"]))
        for _, statement in triggers:
            database.execute(statement)
    database.close()
    stage.run("log", "verify", "--remember", str(stage.folder / "checkpoint"), show=False)
    stage.prove("An edited row is found and named", f"fact {pushed['index']}")


def _facts(stage: Stage, schema: str) -> list[dict[str, Any]]:
    with stage.http("admin") as client:
        answer = client.get("/api/v1/facts", params={"schema": schema, "limit": 1000})
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["facts"]
    return found


def revoke(stage: Stage, digest: str) -> None:
    """Revoke the image and measure how long it takes until it is refused on every path."""
    stage.step(
        "Revoke", "The image turns out to be bad. One call, and nobody gets it any more: pull, promotion, admission."
    )
    layer = _layer_of(stage, "image")
    with stage.http("responder") as responder, stage.http() as reader:
        if not reader.get(f"/v2/{IMAGE}/manifests/1.0").is_success:
            raise TourError("the image could not be pulled before it was revoked")
        called = time.perf_counter()
        answer = responder.post(
            "/api/v1/revocations", json={"digest": digest, "reason": "backdoor found in a dependency"}
        )
        if not answer.is_success:
            raise TourError(f"the revocation was refused: {answer.text}")
        refused = reader.get(f"/v2/{IMAGE}/manifests/1.0")
        milliseconds = (time.perf_counter() - called) * 1000
        paths = {
            "manifest by tag": refused.status_code,
            "manifest by digest": reader.get(f"/v2/{IMAGE}/manifests/{digest}").status_code,
            "blob": reader.get(f"/v2/{IMAGE}/blobs/{layer}").status_code,
        }
    if any(status != 403 for status in paths.values()):
        raise TourError(f"a revoked image was not refused everywhere: {paths}")
    stage.say(f"chainward revoke {digest[:19]}… → {', '.join(f'{path} {status}' for path, status in paths.items())}")
    stage.prove("Revoked is gone", f"{milliseconds:.1f} ms from the revoke call to the first refused pull")
    stage.run("promote", f"{IMAGE}@{digest}", "--to", "prod", actor="promoter", expect=1)
    stage.run("admit", str(_review(stage, "prod", f"{stage.host}/{IMAGE}@{digest}")), actor="promoter", expect=1)
    stage.prove("No gate lets it through", "promotion and admission refused, with the reason")


def tell(stage: Stage, digest: str) -> None:
    """Show everything that happened to the image."""
    stage.step("Timeline", "Every fact about the image: when, what, who, and its place in the log, which proves it.")
    stage.run("timeline", f"{IMAGE}@{digest}", actor="admin")
    facts = stage.ask("timeline", f"{IMAGE}@{digest}")["facts"]
    stage.run("log", "prove", "facts", str(facts[-1]["index"]))
    with stage.http("admin") as client:
        for fact in facts:
            _check_proof(fact, client.get("/api/v1/logs/facts/proof", params={"index": fact["index"]}).json())
    stage.prove("The whole story is in the ledger", f"{len(facts)} facts, the inclusion proof of each one checked here")
    stage.say(
        f"The same as a page: {stage.url}/timeline/{IMAGE}@{digest}  (log in with the token in .tour/admin.token)"
    )


def _check_proof(fact: dict[str, Any], proof: dict[str, Any]) -> None:
    """Check that a fact, as it was told, is what stands in the log at its index."""
    leaf = leaf_hash(commitment(b64decode(fact["salt"]), b64decode(fact["envelope"])))
    hashes = [b64decode(each) for each in proof["hashes"]]
    verify_inclusion(fact["index"], proof["size"], leaf, hashes, b64decode(proof["root"]))


def keep(stage: Stage, digest: str) -> None:
    """Leave the platform running until Ctrl-C."""
    stage.say(f"\nThe platform keeps running at {stage.url}/artifacts/{IMAGE}@{digest} — Ctrl-C ends it.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        stage.say("stopping …")


if __name__ == "__main__":
    raise SystemExit(main())
