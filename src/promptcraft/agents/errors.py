"""What can be wrong with an agent, its knowledge or its making."""

from promptcraft.kernel.errors import Conflict, Invalid, NotFound, PlatformError, TooLarge, Unavailable


class AgentNotFound(NotFound):
    code = "agent_not_found"
    title = "There is no such agent"
    next_step = "List yours with `pc-hybrid agent list`."


class CreationNotFound(NotFound):
    code = "creation_not_found"
    title = "There is no such creation"
    next_step = "Start one with `pc-hybrid agent create`."


class CreationOver(Conflict):
    code = "creation_over"
    title = "The creation has ended"
    next_step = "Delete the agent with `pc-hybrid agent delete`, if there is one."


class DeploymentNotFound(NotFound):
    code = "deployment_not_found"
    title = "There is no such deployment"
    next_step = "Start one with `pc-hybrid agent deploy`."


class AgentExists(Conflict):
    code = "agent_exists"
    title = "There is an agent of that name already"
    next_step = "Choose another name, or delete the other one with `pc-hybrid agent delete`."


class AgentBusy(Conflict):
    code = "agent_busy"
    title = "The agent is being built or deployed"
    next_step = "Wait until that has ended: `pc-hybrid agent show` says when."


class SpecNotUsable(Invalid):
    code = "spec_not_usable"
    title = "The agent cannot be made from this"


class ArchiveNotUsable(Invalid):
    code = "archive_not_usable"
    title = "The archive cannot be used as knowledge"
    next_step = "Pack plain .md and .json files in UTF-8 with relative paths, as tar or tar.gz, and send it again."


class ArchiveTooLarge(TooLarge):
    code = "archive_too_large"
    title = "The archive is too large"
    next_step = "Send at most 100 MB of documents, unpacked; make several agents of more."


class BundleNotUsable(Invalid):
    code = "bundle_not_usable"
    title = "The bundle cannot be taken in"
    next_step = "Send what `git bundle create FILE main` writes in the agent's own repository: `pc-hybrid agent push`."


class BundleTooLarge(TooLarge):
    code = "bundle_too_large"
    title = "The bundle is too large"
    next_step = "Send at most 100 MB, no file of it larger than 25 MB, and no more than 20,000 files."


class NotFastForward(Conflict):
    code = "not_fast_forward"
    title = "The repository has moved on, or holds nothing new"
    next_step = "Fetch what the platform has (`pc-hybrid agent fetch`), merge or rebase onto it, and push again."


class IsolationRequired(Conflict):
    code = "isolation_required"
    title = "An edited agent runs isolated or not at all, and this host cannot isolate"
    next_step = "Install bubblewrap on the platform's host (`pc-hybrid doctor` there says what is missing), push again."


class UpdateConflict(Conflict):
    code = "update_conflict"
    title = "What is new and what was edited do not go together by themselves"
    next_step = "`pc-hybrid agent fetch`, then `git merge platform/factory/template`, settle the named lines, and push."


class RevisionNotFound(NotFound):
    code = "revision_not_found"
    title = "There is no such revision"
    next_step = "Start one with `pc-hybrid agent push` or `pc-hybrid agent update`."


class StorageFull(PlatformError):
    status = 507
    code = "storage_full"
    title = "There is no room for the documents"
    next_step = "Have space freed where the platform's data directory is, then send it again."


class StorageNotWritable(Unavailable):
    code = "storage_not_writable"
    title = "The platform cannot write into its data directory"
    next_step = "Have the file system where the platform's data directory is made writable, then send it again."


class KnowledgeNotUsable(PlatformError):
    status = 422
    code = "knowledge_not_usable"
    title = "The documents cannot be used as knowledge"
    next_step = "Correct the named document, upload the knowledge again and create the agent again."


class VerificationFailed(PlatformError):
    status = 500
    code = "verification_failed"
    title = "The generated agent did not pass its checks"
    next_step = "See the step's error; if the documents look right, give the request id to your administrator."


class SecretFound(PlatformError):
    status = 422
    code = "secret_found"
    title = "There is a secret in the agent's files"
    next_step = (
        "Take it out, and have it revoked where it is valid. A line that holds none can say: pragma: allowlist secret."
    )


class CodeUnsafe(PlatformError):
    status = 422
    code = "code_unsafe"
    title = "The agent's code does what is not safe"
    next_step = "Write the named lines another way; `bandit` explains each finding."


class QuestionsNotUsable(PlatformError):
    status = 422
    code = "questions_not_usable"
    title = "The question set cannot be asked"
    next_step = "Correct it; `pc-hybrid agent evaluate` takes the same form."


class ContractBroken(PlatformError):
    status = 500
    code = "contract_broken"
    title = "The agent does not offer the tools of its spec"
    next_step = "Create it again; if it stays, give the request id to your administrator."


class GitFailed(PlatformError):
    status = 500
    code = "git_failed"
    title = "The agent's repository could not be made"
    next_step = "Look for a full disk or a missing git on the platform's host, then create the agent again."


class VectorsBusy(PlatformError):
    """Others are being made on this host; these come after them."""

    status = 503
    code = "vectors_busy"


class VectorsNotMade(PlatformError):
    status = 500
    code = "vectors_not_made"
    title = "The vectors of the agent's passages could not be made"
    next_step = "The agent answers by words alone meanwhile; give the request id to your administrator."


class AgentNotRunning(Conflict):
    code = "agent_not_running"
    title = "The agent does not run"
    next_step = "Deploy it with `pc-hybrid agent deploy`."


class TooFewQuestions(Invalid):
    code = "too_few_questions"
    title = "There are too few questions to calibrate by"
