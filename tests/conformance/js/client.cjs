// Signs or verifies with the stock packages; one JSON request on standard input, one JSON answer on standard output.
//
// request: {verb: "sign-blob" | "sign-statement" | "verify", file, bundle, payload_type, token, signing_config,
//           trusted_root, identity, issuer}
"use strict";

const fs = require("node:fs");
const { createRequire } = require("node:module");

const stock = createRequire(process.env.SIGSTORE_JS + "/package.json");
const { SigningConfig, TrustedRoot } = stock("@sigstore/protobuf-specs");
const { bundleFromJSON, bundleToJSON } = stock("@sigstore/bundle");

const json = (path) => JSON.parse(fs.readFileSync(path, "utf8"));

async function sign(request) {
  const { bundleBuilderFromSigningConfig } = stock("@sigstore/sign");
  const isStatement = request.verb === "sign-statement";
  const builder = bundleBuilderFromSigningConfig({
    signingConfig: SigningConfig.fromJSON(json(request.signing_config)),
    identityProvider: { getToken: async () => request.token },
    bundleType: isStatement ? "dsseEnvelope" : "messageSignature",
    fetchOptions: { timeout: 15000, retry: { retries: 0 } },
  });
  const data = fs.readFileSync(request.file);
  const bundle = await builder.create(isStatement ? { data, type: request.payload_type } : { data });
  fs.writeFileSync(request.bundle, JSON.stringify(bundleToJSON(bundle)));
  return {};
}

function verify(request) {
  const { Verifier, toSignedEntity, toTrustMaterial } = stock("@sigstore/verify");
  const bundle = bundleFromJSON(json(request.bundle));
  const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(request.trusted_root))));
  const isStatement = bundle.content.$case === "dsseEnvelope";
  const entity = toSignedEntity(bundle, isStatement ? undefined : fs.readFileSync(request.file));
  const signer = verifier.verify(entity, {
    subjectAlternativeName: request.identity,
    extensions: { issuer: request.issuer },
  });
  return {
    identity: signer.identity.subjectAlternativeName,
    payload: isStatement ? bundle.content.dsseEnvelope.payload.toString("base64") : null,
  };
}

async function main() {
  const request = JSON.parse(fs.readFileSync(0, "utf8"));
  const answer = request.verb === "verify" ? verify(request) : await sign(request);
  process.stdout.write(JSON.stringify(answer));
}

main().catch((error) => {
  const causes = [];
  for (let each = error; each; each = each.cause) causes.push(`${each.name}: ${each.message}`);
  process.stderr.write(causes.join("\n") + "\n");
  process.exit(1);
});
