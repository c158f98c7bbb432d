#!/usr/bin/env bash
# Opens reports in a browser without a screen and uses them: the page loads without a message on the console, the table sorts,
# filters filter, traces step, keys work, light and dark switch, and nothing is asked of the network.
#
#   scripts/test-report.sh                  reports of a run that it makes: two formats of the quickstart, with traces
#   scripts/test-report.sh RUN [OTHER]      reports of these runs' folders
#
# Needs the built program, Chromium and Node; what is missing is said, and nothing is tested then. Screenshots and PDF go to
# target/report-test/.
set -euo pipefail
cd "$(dirname "$0")/.."

browser="$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)"
if [ -z "$browser" ] || ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "scripts/test-report.sh: needs chromium, node and npm: reports are not tested in a browser" >&2
    exit 0
fi
out=target/report-test
mkdir -p "$out"
# One package, without dependencies; it drives the Chromium that is installed and downloads none.
[ -d "$out/node_modules/playwright-core" ] ||
    npm install --silent --no-save --no-audit --no-fund --prefix "$out" playwright-core@1.65.1

run="${1:-}"
other="${2:-}"
if [ -z "$run" ]; then
    run="$out/run" other="$out/other"
    target/release/gramask run experiments/quickstart.toml --formats json-list,inline-bracket --limit 4 --trace --out "$run"
    target/release/gramask run experiments/quickstart.toml --formats json-list,inline-bracket --levels grounded \
        --strategies masked,jump --limit 4 --trace --out "$other"
fi
target/release/gramask report "$run" --out "$out/page"
target/release/gramask report "$run" --without-documents --out "$out/bare"
[ -z "$other" ] || target/release/gramask report --compare "$run" "$other" --out "$out/compared"
REPORT_TEST="$out" CHROMIUM="$browser" node scripts/test-report.mjs
