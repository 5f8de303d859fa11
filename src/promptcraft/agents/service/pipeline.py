"""The pipeline's steps in their order, by the names that the ledger keeps."""

BUILD_STEPS = ("validate", "render", "ingest", "tests", "verify", "repository")
DEPLOY_STEPS = ("start", "healthy", "contract", "register", "route")
PUSH_STEPS = ("receive", "verify", "keep")
MERGE_STEPS = ("merge", "verify", "keep")
REMOVE_STEPS = ("stop", "remove")
VECTOR_STEPS = ("vectors", "publish")
CALIBRATION_STEPS = ("calibrate",)
