"""The one list of where this server differs from GoCD; a test replays recorded exchanges and finds each line true.

An exchange is named as in tests/unit/embedded/gocd_exchanges/exchanges.jsonl; `*` in a pattern stands for anything.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """`places` are those of the answer: `status`, `content-type`, a header, or a field of the body."""

    exchanges: tuple[str, ...]
    places: tuple[str, ...]
    why: str


_UNUSED = "nothing of ours uses it"

# What this server does not have, by method and path: it answers as GoCD does to an address that it does not know.
ABSENT: dict[str, str] = {
    "GET /api/agents*": "the agents are part of this server",
    "* /api/admin/environments*": _UNUSED,
    "GET /api/dashboard": "the page shows what it would",
    "GET /api/jobs/*": "a stage tells of its jobs",
    "GET /api/stages/*/history": "the history of a pipeline has its stages",
    "GET /api/admin/packages/*/usages": _UNUSED,
    "GET /api/internal/materials/*/usages": _UNUSED,
    "GET /api/internal/materials/*/modifications": _UNUSED,
    "GET /api/config/materials": _UNUSED,
    "GET /api/admin/pipelines/*": "pipelines come from files and config repos, and are not changed by the API",
    "GET /api/admin/pipeline_groups": "a group has no configuration of its own here",
    "GET /api/admin/maintenance_mode/info": _UNUSED,
    "GET /api/admin/config_repos/*/definitions": _UNUSED,
    "GET /api/admin/plugin_info": "there is one plugin, and it is asked by its name",
    "POST /api/admin/internal/*/verify_connection": "the plugin says what is wrong at its first poll",
    "DELETE /api/admin/*": "what was defined is changed, and removed with the state folder",
    "GET /api/admin/access_tokens": _UNUSED,
    "POST /api/admin/access_tokens/*": "tokens are not revoked",
    "GET /api/current_user/access_tokens/*": "the list has them",
    "POST /api/current_user/access_tokens/*": "tokens are not revoked",
    "POST /api/pipelines/*/pause": "no pausing",
    "POST /api/pipelines/*/unpause": "no pausing",
    "POST /api/pipelines/*/unlock": "a person runs the failed stage again, which goes on with the instance",
    "POST /api/stages/*/cancel": "no cancelling",
    "POST /api/stages/*/run-failed-jobs": "a stage is run again as a whole",
    "POST /api/stages/*/run-selected-jobs": "a stage is run again as a whole",
    "DELETE /files/*": "files are not removed by the API",
    "GET /api/nosuch": "GoCD's container answers with an empty page of no type",
}

_CONTAINER = "a page of the servlet container of the recorded GoCD, which had no Rails; a real one was not seen there"
_METHOD = "GoCD has begun to answer as that API before it finds that it does not know the method"
_NO_CANCEL = "no cancelling: the job was made to fail in its place"
_NO_RERUN = "no re-running of single jobs, so there was no such run"
_NO_PAUSE = "no pausing"
_NO_DELETE = "nothing is deleted by the API, so what the recorded server had no more is still there"
_ONE_AGENT = "its agents are part of this server: one takes a job at once, and none can be lost"
_PLUGIN = "this server does not start without its plugin"
_VARIABLES = "a request to run takes no environment variables, and says so"
_JAVA = "the words of Java's JSON parser are not repeated"

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        ("version: *",),
        ("body.build_number missing", "body.git_sha missing", "body.commit_url missing", "body.full_version"),
        "it is not a build of GoCD",
    ),
    Difference(
        ("plugin_info of our plugin: *", "plugin_info after the jar is back"),
        ("body.plugin_file_location missing",),
        "a path of this machine that nothing needs",
    ),
    Difference(
        ("plugin_info of our plugin: *", "plugin_info after the jar is back"),
        ("body.about.* missing",),
        "the plugin host tells id, version and name only",
    ),
    Difference(("history: accept *", "instance: accept *", "status: accept *"), ("content-type", "body"), _CONTAINER),
    Difference(("path going up", "HEAD of a file"), ("content-type",), _CONTAINER),
    Difference(("POST to a GET-only path", "OPTIONS of current_user"), ("content-type",), _METHOD),
    Difference(("trailing slash",), ("status",), "an address has one spelling here"),
    Difference(("HEAD of current_user",), ("status",), "HEAD is not answered"),
    Difference(
        ("root page: *", "/go/: *", "/go: *", "login page: *", "pipelines page: *", "value stream map json: token"),
        ("status",),
        "a page without a password is a 401; GoCD sends to its form",
    ),
    Difference(("value stream map json: admin",), ("status",), _CONTAINER),
    Difference(
        ("internal config repos: parse error, package unknown", "health messages: config repo with a parse error"),
        ("*",),
        "a package that is not there yet leaves its pipelines waiting; GoCD refuses the file until it is there",
    ),
    Difference(("* not JSON",), ("body.error",), _JAVA),
    Difference(
        ("access tokens: *", "list tokens*"),
        ("body._embedded.access_tokens[]*",),
        "when a token was last used is not noted, and none is ever revoked",
    ),
    Difference(("list tokens, filter unknown",), ("status",), "the list has one form"),
    Difference(("use of the revoked token*",), ("status",), "tokens are not revoked"),
    Difference(("console*",), ("body",), "the data of the promotion and the steps of the agent are others"),
    Difference(
        ("console of a job that is assigned and has not begun", "listing of a job that is assigned and has not begun"),
        ("status",),
        _ONE_AGENT,
    ),
    Difference(("listing while the job runs",), ("status",), "the console is a file from the beginning"),
    Difference(("checksum file",), ("body",), "without the comment lines of Java's properties"),
    Difference(("folder zip, *",), ("status",), "folders are not packed"),
    Difference(
        ("path going up, encoded",), ("status",), "a path that leads out of its job is a file that is not there"
    ),
    Difference(("stage instance, its job assigned",), ("body.jobs[]*",), _ONE_AGENT),
    Difference(
        ("instance, its first job assigned", "instance, its jobs wait for the agent"),
        ("body.stages[].jobs[].state",),
        _ONE_AGENT,
    ),
    Difference(("stage instance, jobs wait, the only agent lost",), ("body.jobs[]*",), _ONE_AGENT),
    Difference(("stage instance, a job that waited longer than its timeout was cancelled",), ("body.*",), _ONE_AGENT),
    Difference(("stage instance, cancelled", "instance, cancelled"), ("body.*",), _NO_CANCEL),
    Difference(
        ("stage instance, selected job run again", "stage instance, failed job run again"), ("body.*",), _NO_RERUN
    ),
    Difference(
        ("history, three instances",),
        ("body.pipelines[].stages[].counter", "body.pipelines[].stages[].rerun_of_counter"),
        _NO_RERUN,
    ),
    Difference(("status, paused",), ("body.paused*",), _NO_PAUSE),
    Difference(("schedule: paused", "rerun of a stage of a paused pipeline"), ("body.message",), _NO_PAUSE),
    Difference(("schedule: with variable, *",), ("status",), _VARIABLES),
    Difference(("schedule: environment_variables a string", "schedule: variable *"), ("body.message",), _VARIABLES),
    Difference(
        ("health messages: *", "plugin missing: health messages"),
        ("body[] Could not trigger pipeline 'scratch-missing' added",),
        "said of every pipeline that could not be run; GoCD was not heard to say it of one that never had a revision",
    ),
    Difference(
        ("health messages: *", "plugin missing: health messages"),
        ("body[] Modification check failed for material: URL: http://nosuch.example/*",),
        _NO_DELETE,
    ),
    Difference(("health messages: *",), ("body[] Failed to trigger pipeline [scratch-locked] missing",), _NO_PAUSE),
    Difference(("health messages: agent lost, jobs wait",), ("body[]*",), _ONE_AGENT),
    Difference(("repositories by an administrator's token",), ("body._embedded.package_repositories[]*",), _NO_DELETE),
    Difference(
        ("health messages: after a restart",),
        ("body[] Could not trigger pipeline 'scratch-locked' added",),
        "the recorded server was started anew, which forgets its messages; the stand-in was not",
    ),
    Difference(("plugin missing: *",), ("*",), _PLUGIN),
    Difference(("starting: *",), ("status",), "the port opens when it is up; GoCD answers 503 until then"),
)

BEHAVIOUR: tuple[str, ...] = (
    "Pipelines: package and pipeline materials, exec and fetch tasks only; anything else is refused.",
    "Config repos: git with the YAML plugin, allow and deny rules on pipeline groups; they are made and changed, but"
    " not removed. Each file is checked by itself, so a pipeline cannot wait for one of another file.",
    "Users: an administrator, and an operator who sees and runs the pipelines of the group `models`. Tokens are made"
    " and never revoked. A page without a password is a 401; GoCD shows a form. No answer sets a session cookie."
    " Without passwords everybody may do everything, as in GoCD.",
    "Without passwords it may still want a token for changes, as on the embedded platform: GoCD knows no such thing."
    " It answers under its own names only, and changes nothing for the page of another site.",
    "Materials are polled every 2 seconds and rest for 5 after the first failure and for 30 at most, or as configured;"
    " GoCD polls each minute, and rests for 300 seconds and 60 minutes. The rule is GoCD's.",
    "A revision whose data holds anything but strings is refused; GoCD silently changes or drops such data.",
    "A `{{SECRET:…}}` in a plugin's data is not resolved; it is passed on as text.",
    "Materials with a common ancestor are not matched with each other (GoCD's fan-in).",
    "The agents run jobs of one pipeline in turn, because these share its workspace. One of them takes jobs with the"
    " resource `image`, and only these, and lets their processes be nice to all else on the machine.",
    "A job that ran when the server died keeps its record and is run again; GoCD clones it. Its states begin anew.",
    "Control characters are taken out of console lines.",
    "A secure value is kept in the state folder, readable by its owner, and shown as `********`; GoCD encrypts it.",
    "No pausing, cancelling, unlocking or re-running of single jobs.",
    "Schedule requests take `update_materials_before_scheduling` and `materials`, and refuse `environment_variables`.",
    "The value-stream map is made after GoCD's source (ValueStreamMapModel); it was never compared with a recording."
    " It has no edit paths, durations, times or view types.",
)
