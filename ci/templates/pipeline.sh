#!/bin/sh
# The pipeline of a component that replaces a container auth service, stage by stage, for your own repository.
#
#   ./pipeline.sh build test imports sbom sign push shadow load promote
#
# What is yours stands in variables; the defaults are those of a crate whose component is built for wasm32-wasip2.
# Needed: cargo, wasm-tools, shadow-proxy and load (from the toolkit's image or checkout); for single stages cargo-cyclonedx,
# wkg and whatever signs. Every stage ends with 0, or says what is wrong and ends with another code.
set -eu

: "${BUILD_COMMAND:=cargo build --release --locked --target wasm32-wasip2}"
: "${BUILT:=target/wasm32-wasip2/release/auth_component.wasm}"
: "${TEST_COMMAND:=cargo test --locked}"
: "${COMPONENT:=out/component.wasm}"      # what all later stages look at
: "${IMPORTS:=ci/imports.txt}"            # the interfaces it may import, a line each, without versions
: "${BYTES_MAX:=1000000}"
: "${IMAGE:=}"                            # registry/name:tag; without one nothing is pushed
: "${SIGN_COMMAND:=}"                     # signs the file or digest it is given, for example `cosign sign --yes`
: "${CAPTURE:=ci/capture.jsonl.gz}"       # recorded by `shadow-proxy run --capture`, with stand-ins for every secret
: "${CONFIG:=ci/shadow.toml}"             # rules, keys, [gate]: as in production
: "${LEGACY:=url:http://127.0.0.1:3000}"  # a side as `load compare --help` has them
: "${CANDIDATE:=process:shadow-proxy serve --listen 127.0.0.1:{port} --config $CONFIG --component $COMPONENT}"
: "${CONTRACT:=contract}"
: "${CASES:=}"                            # of it, by name; without any: valid-key-123 and three more, as `load compare` says
: "${BASELINE:=}"                         # an earlier report's JSON
: "${FAIL_ON:=p99_ratio>1.10}"            # proven on confidence bounds, or it does not fail
: "${ADMIN:=}"                            # of the proxy in production; without one nothing is promoted
: "${ADMIN_TOKEN_FILE:=}"

fail() {
    echo "pipeline: $*" >&2
    exit 1
}

build() {
    $BUILD_COMMAND
    mkdir -p "$(dirname "$COMPONENT")"
    cp "$BUILT" "$COMPONENT"
}

tests() {
    $TEST_COMMAND
}

# A component can do what it imports and no more, so a new import is a new permission.
imports() {
    bytes=$(wc -c <"$COMPONENT")
    [ "$bytes" -le "$BYTES_MAX" ] || fail "$COMPONENT has $bytes bytes, and $BYTES_MAX are allowed (BYTES_MAX)"
    found=$(wasm-tools component wit "$COMPONENT" | sed -n 's/^ *import \([a-z0-9:/-]*\).*/\1/p' | sort -u)
    if [ ! -f "$IMPORTS" ]; then
        printf '%s\n' "$found"
        fail "$IMPORTS is not there; if $COMPONENT may import the above, write that into it"
    fi
    unknown=$(printf '%s\n' "$found" | grep -vxF -f "$IMPORTS" || true)
    [ -z "$unknown" ] || fail "$COMPONENT imports what $IMPORTS does not list: $unknown"
    printf '%s: %s bytes, imports\n%s\n' "$COMPONENT" "$bytes" "$found"
}

sbom() {
    cargo cyclonedx --format json --override-filename component.cdx
}

sign() {
    [ -n "$SIGN_COMMAND" ] || fail "SIGN_COMMAND is empty; set it, or leave this stage out"
    $SIGN_COMMAND "$COMPONENT"
}

push() {
    [ -n "$IMAGE" ] || fail "IMAGE is empty; set it to registry/name:tag, or leave this stage out"
    wkg oci push "$IMAGE" "$COMPONENT"
}

# The answers that legacy gave when they were recorded, beside those of the component now: 0 go, 1 no-go, 2 not enough.
shadow() {
    mkdir -p out
    code=0
    shadow-proxy replay "$CAPTURE" --legacy recorded --component "$COMPONENT" --config "$CONFIG" --data out/replay || code=$?
    shadow-proxy gate --data out/replay --config "$CONFIG" --json >out/gate.json || true
    shadow-proxy diffs export --data out/replay --format junit >out/differences.xml || true
    [ "$code" -eq 0 ] || fail "the replay ended with $code; out/gate.json says why, out/differences.xml what differs"
}

load_() {
    mkdir -p out/load
    set --
    for name in $CASES; do set -- "$@" --case "$name"; done
    load compare --legacy "$LEGACY" --candidate "$CANDIDATE" --contract "$CONTRACT" "$@" --out out/load/compare.json
    set -- --in out/load --out out/report.html --fail-on "$FAIL_ON"
    [ ! -f out/gate.json ] || set -- "$@" --gate out/gate.json
    [ -z "$BASELINE" ] || set -- "$@" --baseline "$BASELINE"
    load report "$@"
}

# The next step of the plan, if the evidence in production allows it: the proxy refuses otherwise, and says why.
promote() {
    [ -n "$ADMIN" ] || fail "ADMIN is empty; set it to HOST:PORT of the proxy's admin port, or leave this stage out"
    set -- --admin "$ADMIN"
    [ -z "$ADMIN_TOKEN_FILE" ] || set -- "$@" --token-file "$ADMIN_TOKEN_FILE"
    shadow-proxy gate "$@"
    shadow-proxy advance "$@" --who "pipeline" --why "${WHY:-the pipeline passed}"
}

[ $# -gt 0 ] || fail "name the stages: build test imports sbom sign push shadow load promote"
for stage in "$@"; do
    echo "== $stage"
    case $stage in
        build | imports | sbom | sign | push | shadow | promote) "$stage" ;;
        test) tests ;;
        load) load_ ;;
        *) fail "there is no stage $stage; there are build test imports sbom sign push shadow load promote" ;;
    esac
done
