"""The one list of where this server differs from GoCD: each field it leaves out, and each behaviour."""

# By recording of a GoCD 26.1.0: the fields of it that our answer has not, and why.
LEFT_OUT: dict[str, dict[str, str]] = {
    "version": {
        "build_number": "it is not a build of GoCD",
        "git_sha": "it is not a build of GoCD",
        "commit_url": "it is not a build of GoCD",
    },
    "plugin_info": {
        "plugin_file_location": "a path of this machine that nothing needs",
        "about.version": "the plugin host tells id, version and name only",
        "about.target_go_version": "the plugin host tells id, version and name only",
        "about.description": "the plugin host tells id, version and name only",
        "about.target_operating_systems": "the plugin host tells id, version and name only",
        "about.vendor": "the plugin host tells id, version and name only",
    },
}

_NO_MESSAGE = "they are those of a server health message; no material failed when it was recorded"

# By recording: the fields of ours that it has not, or not with that type, and why.
ADDED: dict[str, dict[str, str]] = {
    "pipeline_history": {"_links": "GoCD gives it as soon as there is a second page; the recording has one page"},
    "internal_materials": {
        "materials.modification": "null until there is a revision; when it was recorded there was one",
        "materials.messages.message": _NO_MESSAGE,
        "materials.messages.description": _NO_MESSAGE,
        "materials.messages.level": _NO_MESSAGE,
    },
}

BEHAVIOUR: tuple[str, ...] = (
    "Pipelines: package and pipeline materials, exec and fetch tasks only; anything else is refused.",
    "Config repos: git with the YAML plugin, allow and deny rules on pipeline groups; they are made, but not changed"
    " or removed. Each file is checked by itself, so a pipeline cannot wait for one of another file.",
    "Users: an administrator and an operator who may not configure. Tokens are made and never revoked. A page without"
    " a password is a 401; GoCD shows a form. Without passwords everybody may do everything, as in GoCD.",
    "Without passwords it may still want a token for changes, as on the embedded platform: GoCD knows no such thing."
    " It answers under its own names only, and changes nothing for the page of another site.",
    "Materials are polled every 2 seconds and rest for 5 after the first failure and for 30 at most, or as configured;"
    " GoCD polls each minute, and rests for 300 seconds and 60 minutes. The rule is GoCD's.",
    "A revision whose data holds anything but strings is refused; GoCD silently changes or drops such data.",
    "A `{{SECRET:…}}` in a plugin's data is not resolved; it is passed on as text.",
    "Materials with a common ancestor are not matched with each other (GoCD's fan-in).",
    "The one agent runs several jobs at once, but those of one pipeline in turn, because they share its workspace.",
    "A job that ran when the server died keeps its record and is run again; GoCD clones it. Its states begin anew.",
    "Control characters are taken out of console lines.",
    "A secure value is kept in the state folder, readable by its owner, and shown as `********`; GoCD encrypts it.",
    "No pausing, cancelling, unlocking or re-running of single jobs.",
    "Schedule requests take `update_materials_before_scheduling` and `materials`, and refuse `environment_variables`.",
    "The value-stream map is made after GoCD's source (ValueStreamMapModel); it was never compared with a recording."
    " It has no edit paths, durations, times or view types.",
)
