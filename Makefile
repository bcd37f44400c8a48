# The one list of commands: `make`. A target only calls a script, which answers --help; ARGS are handed on to it.
# Silent, because stdout is the data of what is called.
.SILENT:
.DEFAULT_GOAL := help
ARGS ?=

.PHONY: help
help: ## Print this list
	awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ See it
.PHONY: demo drill platform
demo: ## Show the whole way of a model on this machine
	scripts/demo $(ARGS)
drill: ## Plant bad candidates, and show at which gate each stops
	scripts/drill $(ARGS)
platform: ## Start the platform of one machine, without the demonstration
	scripts/platform $(ARGS)

##@ Use it
.PHONY: trackback
trackback: ## The command line: make trackback ARGS="status --text"
	scripts/trackback $(ARGS)

##@ Change it
.PHONY: setup quick test check coverage all-checks hooks help-texts docs-tables estimator-survey
setup: ## Set up what a developer needs: the environment with all libraries and checks
	scripts/setup dev $(ARGS)
quick: ## Run after each edit: the unit tests that need neither a JVM nor a child process
	scripts/test --quick $(ARGS)
test: ## Run all tests, or some: make test ARGS="tests/unit/rollout -k replicas"
	scripts/test $(ARGS)
check: ## Check style, types and import directions
	scripts/check $(ARGS)
coverage: ## Run the unit tests and fail when they cover less than pyproject.toml demands
	scripts/test tests/unit --numprocesses 2 --cov $(ARGS)
all-checks: ## Do what a submission must pass: checks, then all tests, with a container engine
	.ci/run $(ARGS)
hooks: ## Let git run `make check` before each commit (needs pre-commit)
	pre-commit install $(ARGS)
help-texts: ## Write scripts/help anew, after a change of a command or its options
	.venv/dev/bin/python -m scripts.help_texts $(ARGS)
docs-tables: ## Write the docs' tables of variables and services anew, after a change of either
	.venv/dev/bin/python -m scripts.docs_tables $(ARGS)
estimator-survey: ## Write docs/scikit-learn-estimators.md anew: which estimators are served, and how
	.venv/dev/bin/python -m scripts.estimator_survey $(ARGS)

##@ Depend on others
.PHONY: lock lock-debian upgrade audit sbom image-digests
lock: ## Lock the environments anew, after a change in requirements/*.in
	scripts/lock $(ARGS)
lock-debian: ## Lock the Debian packages of machine images anew
	scripts/lock-debian $(ARGS)
upgrade: ## Lock the newest versions that requirements/*.in allow
	scripts/lock --upgrade $(ARGS)
audit: ## Ask whether a vulnerability is known of anything that is locked
	scripts/audit check $(ARGS)
sbom: ## Write what every environment and image is made of, as CycloneDX
	scripts/audit sbom $(ARGS)
image-digests: ## Write down which bytes the images of .env are now: scripts/images.lock
	scripts/doctor --lock $(ARGS)

##@ Run the stack of containers (up and down: docker compose)
.PHONY: doctor secrets backup restore remove
doctor: ## Say what this machine lacks for the stack
	scripts/doctor $(ARGS)
secrets: ## Print the secrets that the stack's owner may need
	scripts/secrets show $(ARGS)
backup: ## Write all that cannot be made again: make backup ARGS=/var/backups/today
	scripts/backup $(ARGS)
restore: ## Bring a backup back: make restore ARGS=/var/backups/today
	scripts/restore $(ARGS)
remove: ## Delete ALL of the stack, its state included: make remove ARGS=--everything
	scripts/remove $(ARGS)

##@ Measure it
.PHONY: poll-cost stack-figures gate-honesty gate-speed batch-speed serving-cost worker-scaling monitor-honesty observed-layer disk-growth killed killed-ci serving hostile switches recovery step-honesty
poll-cost: ## Measure what one poll of the plugin costs among many runs
	benchmarks/poll-cost $(ARGS)
stack-figures: ## Measure what the stack of containers costs: seconds, memory, images
	benchmarks/stack-figures $(ARGS)
hostile: ## Send a prediction service hostile requests, such as ARGS="--requests 1000000"
	benchmarks/hostile $(ARGS)
recovery: ## Print how long until a release answers again: after a rollback, or killed
	benchmarks/recovery $(ARGS)
switches: ## Deploy and roll back under load, such as ARGS="--switches 500 --requests 5000000"
	benchmarks/switches $(ARGS)

gate-honesty: ## Simulate how often compare promotes a model that is worse, and one that is not
	benchmarks/gate-honesty $(ARGS)
monitor-honesty: ## Simulate how often monitor is sure of drift, with and without any
	benchmarks/monitor-honesty $(ARGS)
step-honesty: ## Simulate how often a step takes a good candidate back, and a bad one
	benchmarks/step-honesty $(ARGS)
gate-speed: ## Measure what the intervals of the gates take
	benchmarks/gate-speed $(ARGS)
batch-speed: ## Measure how fast a release scores batches, beside Spark, spark_udf and pandas
	benchmarks/batch-speed $(ARGS)
serving-cost: ## Measure the CPU of a request to a release, beside a bare echo
	benchmarks/serving-cost $(ARGS)
worker-scaling: ## Measure what a release's second worker brings, and costs
	benchmarks/worker-scaling $(ARGS)
observed-layer: ## Measure what ids, figures and logs cost an answer
	benchmarks/observed-layer $(ARGS)
disk-growth: ## Print how much each promotion has added to the store and the ledgers
	benchmarks/disk-growth $(ARGS)
killed-ci: ## Kill the CI server again and again, such as ARGS="--kills 500"
	benchmarks/killed-ci $(ARGS)
killed: ## Kill a rollout service again and again, such as ARGS="--kills 1000"
	benchmarks/killed $(ARGS)
serving: ## Measure how fast releases answer online, beside other servers and a bare echo
	benchmarks/serving $(ARGS)

##@ Test where there is no registry of images
.PHONY: engine images in-debian
engine: ## Install and start a container engine on a Debian without systemd (root)
	tests/offline/engine $(ARGS)
images: ## Build stand-ins for the stack's images from Debian packages (root)
	tests/offline/images $(ARGS)
in-debian: ## Do what a submission must pass in a fresh Debian, as CI does
	tests/offline/in-debian .ci/run $(ARGS)
