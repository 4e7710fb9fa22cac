#!/bin/sh
# Installs what Tandem needs and this machine lacks. Says what it installs, asks nothing, changes
# nothing when nothing is missing, and uses sudo only for packages and only when not root.
#
#   deploy/setup.sh          to build and run:  the compiler, Kamailio, the offline voices and ears, Node.js and
#                                               what makes a Worker of Rust
#   deploy/setup.sh --test   and to test:       SIPp, baresip, Chromium, Valgrind, cargo-nextest,
#                                               cargo-deny, gungraun-runner
#
# Written for Debian 12 and Ubuntu. Elsewhere it names what to install by hand.
set -eu

for_tests=no
case ${1-} in
    '') ;;
    --test) for_tests=yes ;;
    *) echo "usage: deploy/setup.sh [--test]" >&2; exit 2 ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
cache=${TANDEM_CACHE:-$HOME/.cache/tandem}
PATH=$HOME/.cargo/bin:$cache/tools/bin:$PATH

nextest_version=0.9.143
deny_version=0.20.2
# Goes with the `gungraun` crate of Cargo.toml.
gungraun_version=0.20.0
# worker-build goes with the `worker` crate, wasm-bindgen with the `wasm-bindgen` crate of Cargo.toml.
worker_build_version=0.8.7
wasm_bindgen_version=0.2.130
node_version=22.23.3

packages="ca-certificates cmake curl gcc g++ libc6-dev make pkg-config procps util-linux kamailio kamailio-tls-modules
    flite libflite1 libpocketsphinx3 pocketsphinx-en-us"
# workerd runs on Node.js 20 or later. Where there is none, Debian's npm brings one.
command -v npm > /dev/null || packages="$packages nodejs npm"
[ $for_tests = no ] || packages="$packages sip-tester baresip-core pocketsphinx-testdata
    asterisk-core-sounds-en-wav chromium valgrind"

node_architecture() { case $(uname -m) in aarch64) echo arm64 ;; *) echo x64 ;; esac; }
say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

# === Debian packages ===

missing_packages() {
    for package in $packages; do
        case $installed in *" $package "*) ;; *) printf '%s ' "$package" ;; esac
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! command -v sudo > /dev/null; then
        fail "not root and no sudo: install by hand: $missing"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# Debian's Kamailio package starts a server of its own and again at every boot; ours is started by
# deploy/local or systemd with our configuration. A policy-rc.d that says no keeps the package quiet.
install_packages() {
    quiet=no
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        quiet=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d > /dev/null
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        trap 'exit 1' INT TERM
        as_root chmod 755 /usr/sbin/policy-rc.d
    fi
    apt="env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0"
    as_root $apt update || say "the package lists could not be refreshed; going on with the old ones"
    # shellcheck disable=SC2086 # words on purpose
    as_root $apt install --no-install-recommends $missing < /dev/null > /dev/null ||
        fail "apt-get could not install: $missing"
    case $missing in
        *kamailio*) [ ! -d /run/systemd/system ] || as_root systemctl --quiet disable --now kamailio || true ;;
    esac
    if [ $quiet = yes ]; then
        as_root rm -f /usr/sbin/policy-rc.d
        trap - EXIT
    fi
}

if command -v dpkg-query > /dev/null && command -v apt-get > /dev/null; then
    # shellcheck disable=SC2086
    installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2> /dev/null |
        sed -n 's/^installed //p' | tr '\n' ' ')"
    missing=$(missing_packages)
    if [ -n "$missing" ]; then
        say "installing packages: $missing"
        install_packages
    fi
else
    wanted="cc cmake make curl kamailio flite npm"
    [ $for_tests = no ] || wanted="$wanted sipp baresip chromium valgrind"
    for command in $wanted; do
        command -v "$command" > /dev/null ||
            fail "this is neither Debian nor Ubuntu and '$command' is missing. Needed: $packages"
    done
fi

# === Rust: the toolchain that rust-toolchain.toml names ===

# The installer that https://rustup.rs downloads, from where it downloads it.
install_rustup() {
    say "installing Rust's rustup into ~/.cargo"
    url=https://static.rust-lang.org/rustup/dist/$(uname -m)-unknown-linux-gnu/rustup-init
    installer=$(mktemp -d)/rustup-init
    curl --proto '=https' --tlsv1.2 -fsSL --retry 3 -o "$installer" "$url" ||
        fail "$url could not be fetched. Install Rust as https://rustup.rs says, then start again"
    chmod +x "$installer"
    "$installer" -y -q --no-modify-path --default-toolchain none > /dev/null ||
        fail "rustup did not install; its reason is above"
    rm -rf "$(dirname "$installer")"
}

if ! command -v rustup > /dev/null && ! command -v cargo > /dev/null; then
    install_rustup
fi
cd "$here/.."
wanted=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
if command -v rustup > /dev/null; then
    case " $(rustup toolchain list | tr '\n' ' ')" in
        *" $wanted"*) ;;
        *)
            say "installing Rust $wanted"
            rustup toolchain install "$wanted" --profile minimal --component rustfmt --component clippy ||
                fail "rustup could not install Rust $wanted; its reason is above"
            ;;
    esac
else
    have=$(cargo --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
        fail "cargo is $have, Tandem needs $wanted or later: install rustup (https://rustup.rs)"
fi

# === The Worker's tools: the wasm target, worker-build, wasm-bindgen, Node.js and its packages ===

if command -v rustup > /dev/null; then
    case " $(rustup target list --installed | tr '\n' ' ')" in
        *" wasm32-unknown-unknown "*) ;;
        *)
            say "adding Rust's target wasm32-unknown-unknown"
            rustup --quiet target add wasm32-unknown-unknown || fail "rustup could not add wasm32-unknown-unknown"
            ;;
    esac
fi

# cargo_tool COMMAND CRATE VERSION [FLAG]: built outside any target directory of ours, so that it cannot wait for our lock.
cargo_tool() {
    command -v "$1" > /dev/null || {
        say "building $2 $3 (some minutes, once)"
        # shellcheck disable=SC2086 # no flag or one
        env -u CARGO_TARGET_DIR cargo install --quiet ${4-} --root "$cache/tools" "$2" --version "$3" ||
            fail "$2 could not be built; the reason is above"
    }
}
cargo_tool worker-build worker-build "$worker_build_version" --locked
# Its lock file is out of date: it does not build with --locked.
cargo_tool wasm-bindgen wasm-bindgen-cli "$wasm_bindgen_version"

if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20)' 2> /dev/null; then
    say "installing Node.js $node_version into the cache"
    npm install --silent --no-save --prefix "$cache/tools/node" "node-linux-$(node_architecture)@$node_version" ||
        fail "npm could not install Node.js $node_version"
    mkdir -p "$cache/tools/bin"
    ln -sf "$cache/tools/node/node_modules/node-linux-$(node_architecture)/bin/node" "$cache/tools/bin/node"
fi

# packages_of FOLDER: what its package-lock.json names, unless it is there already.
packages_of() {
    [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] || {
        say "installing npm packages for ${1#./}"
        npm ci --silent --no-audit --no-fund --prefix "$1" || fail "npm could not install what $1 needs"
        touch "$1/node_modules/.package-lock.json"
    }
}
packages_of ./edge
packages_of ./edge/dashboard

# === Test tools, built from source into the cache ===

if [ $for_tests = yes ]; then
    cargo_tool cargo-nextest cargo-nextest "$nextest_version" --locked
    cargo_tool cargo-deny cargo-deny "$deny_version" --locked
    cargo_tool gungraun-runner gungraun-runner "$gungraun_version" --locked
fi
