# Functions of scripts/backup, scripts/restore and scripts/remove: the stack, its containers and its volumes.
# shellcheck shell=bash
fail() {
  echo "$1" >&2
  exit 1
}

# Finds the stack that the caller's variables name, as `docker compose` does.
find_stack() {
  # An older compose would take the stack of .env for the one that was meant.
  version=$(docker compose version --short) || fail "expected docker compose, found none: scripts/doctor"
  [[ -z ${COMPOSE_ENV_FILES:-} || $(printf '2.24\n%s\n' "${version#v}" | sort --version-sort | head --lines 1) == 2.24 ]] ||
    fail "expected compose 2.24 or newer, which knows COMPOSE_ENV_FILES, found $version: scripts/doctor"
  config=$(docker compose config) || fail "expected 'docker compose config' to succeed here: is the engine's client installed?"
  project=$(sed -n 's/^name: //p' <<< "$config")
  image=$(grep -o --max-count=1 'trackback/delivery:.*' <<< "$config")
  docker image inspect "$image" > /dev/null 2>&1 || fail "expected the image $image, found none: docker compose build secrets"
}

# All of the stack, its volumes and the images of its releases.
remove_stack() {
  registry=$(sed -n 's/^ *TRACKBACK_ROLLOUT_REGISTRY: *"\?\([^"]*\)"\?$/\1/p' <<< "$config")
  docker compose --profile '*' stop
  # Containers with releases are the rollout service's, which compose knows nothing of; so are their images.
  docker ps --all --quiet --filter "label=trackback.project=$project" | xargs --no-run-if-empty docker rm --force > /dev/null
  docker compose --profile '*' down --volumes
  # And so are the volumes of their prediction logs.
  docker volume ls --quiet --filter "name=^${project}_predictions_" | xargs --no-run-if-empty docker volume rm > /dev/null
  [[ -z $registry ]] || docker image ls --format '{{.Repository}} {{.ID}}' | sed -n "s|^$registry/trackback/[^ ]* ||p" | sort --unique |
    while read -r id; do remove_names "$id" "$registry"; done
}

# The names that an image has in one registry; it is gone with its last.
remove_names() {
  docker image inspect --format '{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}' "$1" |
    sed -n "\\|^$2/|p" |
    while read -r name; do
      # Its digest in a registry goes with its tag there.
      ! docker image inspect "$name" > /dev/null 2>&1 || docker image rm "$name" > /dev/null
    done
}

# Containers of services, by compose's labels: they are there whatever the profile is. `running SERVICE…`
running() {
  local service
  for service in "$@"; do
    docker ps --quiet --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$service" \
      --filter label=com.docker.compose.oneoff=False
  done
}

# Returns when every one of these containers is healthy. `well CONTAINER…`
well() {
  local container health
  for container in "$@"; do
    for ((second = 0; ; second++)); do
      health=$(docker inspect --format '{{.State.Health.Status}}' "$container")
      [[ $health != healthy ]] || break
      [[ $second -lt 300 ]] || fail "expected $(docker inspect --format '{{.Name}}' "$container") to be healthy again within 5 minutes, it is $health"
      sleep 1
    done
  done
}

# Which of the two CI servers the stack has.
continuous_integration() {
  docker compose config --services | grep --extended-regexp '^(gocd-server|embedded)$' || echo "no CI server"
}

# tar as root with one volume at /volume, and without a network: owners and S3's attributes are kept. `tar_volume VOLUME ro|rw ARGUMENT…`
tar_volume() {
  local volume=$1 mode=$2
  shift 2
  docker run --rm --interactive --network none --read-only --user 0:0 --cap-drop ALL --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER \
    --security-opt no-new-privileges:true --volume "${project}_$volume:/volume:$mode" --entrypoint tar "$image" \
    --directory /volume --numeric-owner --xattrs --xattrs-include='user.*' "$@"
}
