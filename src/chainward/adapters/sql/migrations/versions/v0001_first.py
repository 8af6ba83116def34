"""The first schema: the tables of every room, and the triggers that keep the ledger append-only.

Written by tools/make_first_migration.py; not edited by hand.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

__all__: list[str] = []

revision: Final = "0001"
down_revision: Final = None

_TRIGGERS: Final = {
    "sqlite": (
        """CREATE TRIGGER fact_update BEFORE UPDATE ON fact
    WHEN NOT (NEW.idx = OLD.idx
            AND NEW.schema = OLD.schema
            AND NEW.recorded_at = OLD.recorded_at
            AND NEW.envelope IS NULL
            AND NEW.salt IS NULL)
    BEGIN SELECT RAISE(ABORT, 'facts are never changed or deleted'); END""",
        """CREATE TRIGGER fact_delete BEFORE DELETE ON fact
    BEGIN SELECT RAISE(ABORT, 'facts are never changed or deleted'); END""",
        """CREATE TRIGGER log_leaf_update BEFORE UPDATE ON log_leaf
    BEGIN SELECT RAISE(ABORT, 'leaves of a log are never changed or deleted'); END""",
        """CREATE TRIGGER log_leaf_delete BEFORE DELETE ON log_leaf
    BEGIN SELECT RAISE(ABORT, 'leaves of a log are never changed or deleted'); END""",
        """CREATE TRIGGER log_tile_update BEFORE UPDATE ON log_tile
    WHEN NOT (NEW.origin = OLD.origin
            AND NEW.level = OLD.level
            AND NEW.idx = OLD.idx
            AND length(OLD.hashes) < 8192
            AND length(NEW.hashes) <= 8192
            AND substr(NEW.hashes, 1, length(OLD.hashes)) = OLD.hashes)
    BEGIN SELECT RAISE(ABORT, 'tiles of a log only grow until they are complete'); END""",
        """CREATE TRIGGER log_tile_delete BEFORE DELETE ON log_tile
    BEGIN SELECT RAISE(ABORT, 'tiles of a log only grow until they are complete'); END""",
        """CREATE TRIGGER log_head_update BEFORE UPDATE ON log_head
    WHEN NOT (NEW.origin = OLD.origin
            AND NEW.content = OLD.content
            AND OLD.frozen_at IS NULL
            AND (NEW.size > OLD.size OR (NEW.size = OLD.size AND NEW.root = OLD.root AND NEW.frozen_at IS NOT NULL))
            AND NEW.moved_at >= OLD.moved_at)
    BEGIN SELECT RAISE(ABORT, 'a log only grows'); END""",
        """CREATE TRIGGER log_head_delete BEFORE DELETE ON log_head
    BEGIN SELECT RAISE(ABORT, 'a log only grows'); END""",
        """CREATE TRIGGER witnessed_log_update BEFORE UPDATE ON witnessed_log
    WHEN NOT (NEW.origin = OLD.origin
            AND (NEW.size > OLD.size OR (NEW.size = OLD.size AND NEW.root = OLD.root)))
    BEGIN SELECT RAISE(ABORT, 'what was cosigned never goes back'); END""",
        """CREATE TRIGGER witnessed_log_delete BEFORE DELETE ON witnessed_log
    BEGIN SELECT RAISE(ABORT, 'what was cosigned never goes back'); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION fact_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'facts are never changed or deleted' USING ERRCODE = 'restrict_violation';
    END $$""",
        """CREATE TRIGGER fact_update BEFORE UPDATE ON fact FOR EACH ROW
    WHEN (NOT (NEW.idx = OLD.idx
            AND NEW.schema = OLD.schema
            AND NEW.recorded_at = OLD.recorded_at
            AND NEW.envelope IS NULL
            AND NEW.salt IS NULL))
    EXECUTE FUNCTION fact_refuse()""",
        """CREATE TRIGGER fact_delete BEFORE DELETE ON fact FOR EACH ROW
    EXECUTE FUNCTION fact_refuse()""",
        """CREATE TRIGGER fact_truncate BEFORE TRUNCATE ON fact FOR EACH STATEMENT
    EXECUTE FUNCTION fact_refuse()""",
        """CREATE FUNCTION log_leaf_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'leaves of a log are never changed or deleted' USING ERRCODE = 'restrict_violation';
    END $$""",
        """CREATE TRIGGER log_leaf_update BEFORE UPDATE ON log_leaf FOR EACH ROW
    EXECUTE FUNCTION log_leaf_refuse()""",
        """CREATE TRIGGER log_leaf_delete BEFORE DELETE ON log_leaf FOR EACH ROW
    EXECUTE FUNCTION log_leaf_refuse()""",
        """CREATE TRIGGER log_leaf_truncate BEFORE TRUNCATE ON log_leaf FOR EACH STATEMENT
    EXECUTE FUNCTION log_leaf_refuse()""",
        """CREATE FUNCTION log_tile_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'tiles of a log only grow until they are complete' USING ERRCODE = 'restrict_violation';
    END $$""",
        """CREATE TRIGGER log_tile_update BEFORE UPDATE ON log_tile FOR EACH ROW
    WHEN (NOT (NEW.origin = OLD.origin
            AND NEW.level = OLD.level
            AND NEW.idx = OLD.idx
            AND length(OLD.hashes) < 8192
            AND length(NEW.hashes) <= 8192
            AND substr(NEW.hashes, 1, length(OLD.hashes)) = OLD.hashes))
    EXECUTE FUNCTION log_tile_refuse()""",
        """CREATE TRIGGER log_tile_delete BEFORE DELETE ON log_tile FOR EACH ROW
    EXECUTE FUNCTION log_tile_refuse()""",
        """CREATE TRIGGER log_tile_truncate BEFORE TRUNCATE ON log_tile FOR EACH STATEMENT
    EXECUTE FUNCTION log_tile_refuse()""",
        """CREATE FUNCTION log_head_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a log only grows' USING ERRCODE = 'restrict_violation';
    END $$""",
        """CREATE TRIGGER log_head_update BEFORE UPDATE ON log_head FOR EACH ROW
    WHEN (NOT (NEW.origin = OLD.origin
            AND NEW.content = OLD.content
            AND OLD.frozen_at IS NULL
            AND (NEW.size > OLD.size OR (NEW.size = OLD.size AND NEW.root = OLD.root AND NEW.frozen_at IS NOT NULL))
            AND NEW.moved_at >= OLD.moved_at))
    EXECUTE FUNCTION log_head_refuse()""",
        """CREATE TRIGGER log_head_delete BEFORE DELETE ON log_head FOR EACH ROW
    EXECUTE FUNCTION log_head_refuse()""",
        """CREATE TRIGGER log_head_truncate BEFORE TRUNCATE ON log_head FOR EACH STATEMENT
    EXECUTE FUNCTION log_head_refuse()""",
        """CREATE FUNCTION witnessed_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'what was cosigned never goes back' USING ERRCODE = 'restrict_violation';
    END $$""",
        """CREATE TRIGGER witnessed_log_update BEFORE UPDATE ON witnessed_log FOR EACH ROW
    WHEN (NOT (NEW.origin = OLD.origin
            AND (NEW.size > OLD.size OR (NEW.size = OLD.size AND NEW.root = OLD.root))))
    EXECUTE FUNCTION witnessed_log_refuse()""",
        """CREATE TRIGGER witnessed_log_delete BEFORE DELETE ON witnessed_log FOR EACH ROW
    EXECUTE FUNCTION witnessed_log_refuse()""",
        """CREATE TRIGGER witnessed_log_truncate BEFORE TRUNCATE ON witnessed_log FOR EACH STATEMENT
    EXECUTE FUNCTION witnessed_log_refuse()""",
    ),
}


def upgrade() -> None:  # noqa: PLR0915 - one statement for each table
    """Create everything."""
    op.create_table(
        "access_epoch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_epoch")),
    )
    op.create_table(
        "access_token",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("bindings", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("issued_by", sa.String(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_token")),
    )
    op.create_table(
        "admission",
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("fact_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("decision", name=op.f("pk_admission")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "admission_anchor",
        sa.Column("first_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("fact_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("first_id", name=op.f("pk_admission_anchor")),
    )
    op.create_table(
        "admission_repeat",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admission_repeat")),
    )
    op.create_table(
        "authority",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("certificates", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("compromised_since", sa.BigInteger(), nullable=True),
        sa.Column("compromise_reason", sa.Text(), nullable=True),
        sa.Column("compromise_checkpoints", sa.Text(), nullable=True),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=True),
        sa.Column("key_reference", sa.Text(), nullable=True),
        sa.CheckConstraint("(sealed_key IS NULL) <> (key_reference IS NULL)", name=op.f("ck_authority_one_key")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_authority")),
    )
    op.create_table(
        "authority_pending",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=True),
        sa.Column("key_reference", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(sealed_key IS NULL) <> (key_reference IS NULL)", name=op.f("ck_authority_pending_one_key")
        ),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_authority_pending")),
    )
    op.create_table(
        "cosignature",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("cosigned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", "witness", name=op.f("pk_cosignature")),
    )
    op.create_table(
        "deployment",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "repository", "digest", name=op.f("pk_deployment")),
    )
    op.create_index(op.f("ix_deployment_digest"), "deployment", ["digest"], unique=False)
    op.create_table(
        "environment",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("namespaces", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_environment")),
    )
    op.create_table(
        "evidence_complete",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "digest", name=op.f("pk_evidence_complete")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "evidence_noted",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("referrer", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "referrer", name=op.f("pk_evidence_noted")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fact",
        sa.Column("idx", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("schema", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("idx", name=op.f("pk_fact")),
    )
    op.create_index("ix_fact_schema", "fact", ["schema", "idx"], unique=False)
    op.create_table(
        "follower_position",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_follower_position")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_anchor",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_log_anchor")),
    )
    op.create_table(
        "log_head",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.Column("frozen_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_log_head")),
    )
    op.create_table(
        "log_leaf",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "idx", name=op.f("pk_log_leaf")),
    )
    op.create_table(
        "log_position",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "hash", name=op.f("pk_log_position")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_tile",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("origin", "level", "idx", name=op.f("pk_log_tile")),
    )
    op.create_table(
        "policy_epoch",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_policy_epoch")),
    )
    op.create_table(
        "portfolio_epoch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portfolio_epoch")),
    )
    op.create_table(
        "promotion",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("vsa", sa.String(), nullable=False),
        sa.Column("promoted_at", sa.BigInteger(), nullable=False),
        sa.Column("fact_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "digest", "environment", name=op.f("pk_promotion")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_artifact_epoch",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "digest", name=op.f("pk_registry_artifact_epoch")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_blob",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("proven_at", sa.BigInteger(), nullable=False),
        sa.Column("quarantined_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_registry_blob")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_blob_in_repository",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "digest", name=op.f("pk_registry_blob_in_repository")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_registry_blob_in_repository_digest", "registry_blob_in_repository", ["digest", "repository"], unique=False
    )
    op.create_table(
        "registry_child",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("child", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "child", "parent", name=op.f("pk_registry_child")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_registry_child_parent", "registry_child", ["repository", "parent"], unique=False)
    op.create_table(
        "registry_edge",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("manifest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "blob", "manifest", name=op.f("pk_registry_edge")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_registry_edge_blob", "registry_edge", ["blob"], unique=False)
    op.create_table(
        "registry_enforcement",
        sa.Column("revocation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("revocation", "path", name=op.f("pk_registry_enforcement")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_manifest",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("artifact_type", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("annotations", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("pushed_at", sa.BigInteger(), nullable=False),
        sa.Column("fact_index", sa.BigInteger(), nullable=False),
        sa.Column("quarantined_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("repository", "digest", name=op.f("pk_registry_manifest")),
    )
    op.create_index(
        "ix_registry_manifest_bundle",
        "registry_manifest",
        ["repository", "subject", "fact_index", "digest", "media_type", "artifact_type", "size"],
        unique=False,
        sqlite_where=sa.text("substr(artifact_type, 1, 35) = 'application/vnd.dev.sigstore.bundle'"),
        postgresql_where=sa.text("substr(artifact_type, 1, 35) = 'application/vnd.dev.sigstore.bundle'"),
    )
    op.create_index("ix_registry_manifest_digest", "registry_manifest", ["digest"], unique=False)
    op.create_index(
        "ix_registry_manifest_subject",
        "registry_manifest",
        ["repository", "subject", "fact_index", "digest"],
        unique=False,
    )
    op.create_index(
        "ix_registry_manifest_type",
        "registry_manifest",
        ["repository", "subject", "artifact_type", "fact_index", "digest"],
        unique=False,
    )
    op.create_table(
        "registry_repository",
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_registry_repository")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_revocation",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.Column("fact_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "scope", name=op.f("pk_registry_revocation")),
        sa.UniqueConstraint("fact_index", name=op.f("uq_registry_revocation_fact_index")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_tag",
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("tag", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("tagged_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("repository", "tag", name=op.f("pk_registry_tag")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_registry_tag_digest", "registry_tag", ["repository", "digest"], unique=False)
    op.create_table(
        "registry_upload",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_upload")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_registry_upload_expires_at"), "registry_upload", ["expires_at"], unique=False)
    op.create_table(
        "service",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("repositories", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service")),
    )
    op.create_table(
        "signature_publication",
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("fact_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("signature", "repository", name=op.f("pk_signature_publication")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "signature_revocation",
        sa.Column("fact_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revoked_by", sa.String(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fact_index", name=op.f("pk_signature_revocation")),
    )
    op.create_table(
        "signer",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("repositories", sa.Text(), nullable=False),
        sa.Column("predicates", sa.Text(), nullable=False),
        sa.Column("portable", sa.Boolean(), nullable=False),
        sa.Column("trusted_since", sa.BigInteger(), nullable=False),
        sa.Column("distrusted_at", sa.BigInteger(), nullable=True),
        sa.Column("distrusted_since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signer")),
    )
    op.create_table(
        "trust_epoch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_epoch")),
    )
    op.create_table(
        "tuf_file",
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_tuf_file")),
    )
    op.create_table(
        "tuf_key",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=True),
        sa.Column("key_reference", sa.Text(), nullable=True),
        sa.CheckConstraint("(sealed_key IS NULL) <> (key_reference IS NULL)", name=op.f("ck_tuf_key_one_key")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tuf_key")),
    )
    op.create_table(
        "tuf_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tuf_state")),
    )
    op.create_table(
        "witness",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_witness")),
        sa.UniqueConstraint("key", name=op.f("uq_witness_key")),
    )
    op.create_table(
        "witness_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_witness_key")),
    )
    op.create_table(
        "witness_refusal",
        sa.Column("witness", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("refused_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("witness", "origin", name=op.f("pk_witness_refusal")),
    )
    op.create_table(
        "witnessed_log",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witnessed_log")),
    )
    op.create_table(
        "witnessed_split",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", "root", name=op.f("pk_witnessed_split")),
    )
    for statement in _TRIGGERS[op.get_context().dialect.name]:
        op.execute(statement)
