# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts beside it: messages, and apt packages. To be sourced by bash.

# One line of progress; what a step printed is indented below it.
say() { printf '==> %s\n' "$*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# What went wrong, from the log of a step: of each test of ctest that failed what it says itself, its
# last lines where it says nothing that is known; of other tests, and of valgrind, what they found; of
# anything else the end.
show_failures() {
    awk '
        function finish(    i) {
            for (i = said ? 1 : (count > 20 ? count - 19 : 1); name && i <= (said ? said : count); i++)
                print substr(said ? reason[i] : line[i], 1, 500)
            name = ""; said = count = 0
        }
        /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
            finish()
            if (/\*\*\*/) { name = $0; print; failed++ }
            next
        }
        /^ +Start +[0-9]+: |^[0-9]+% tests passed/ { finish() }
        !name { next }
        { line[++count] = $0 }
        /^E  |^(FAILED|ERROR) |^[^ ]+:[0-9]+: [A-Z]|^\[ +(ERROR|LINE|FAILED) +\]|error:|(ERROR|WARNING|SUMMARY): |Segmentation/ {
            if (said < 40) reason[++said] = $0
        }
        END { finish(); exit !failed }
    ' "$1" || grep -m 80 -E '^\[ +(ERROR|LINE|FAILED) +\]|^==[0-9]+==' "$1" ||
        grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Creating)' "$1" | tail -n 80
}

# Run a command with the rights to install packages.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "installing packages needs root, and there is no sudo; run as root: $*"
    fi
}

package_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Print those of the packages that are not installed.
packages_missing() {
    local package
    for package; do
        package_installed "$package" || printf '%s\n' "$package"
    done
}

# Print the first of the packages that is installed, or else can be; nothing if none can.
package_choose() {
    local package
    for package; do
        if package_installed "$package"; then
            printf '%s\n' "$package"
            return
        fi
    done
    for package; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            printf '%s\n' "$package"
            return
        fi
    done
}

# packages_install ASSUME_YES PACKAGE... : install what is missing, after showing it and asking.
# Touches neither apt nor the network when nothing is missing.
packages_install() {
    local assume_yes=$1 answer missing
    shift
    command -v dpkg-query >/dev/null ||
        fail "this is no Debian or Ubuntu; install the equivalents of: $*"
    mapfile -t missing < <(packages_missing "$@")
    if [ "${#missing[@]}" -eq 0 ]; then
        say "packages: all $# are installed"
        return
    fi
    say "packages: these will be installed with apt-get:"
    printf '      %s\n' "${missing[@]}"
    if [ "$assume_yes" != yes ]; then
        [ -t 0 ] || fail "there is no terminal to ask on; run again with --yes to install them"
        read -r -p '    Go on? [Y/n] ' answer
        case $answer in
        '' | [Yy]*) ;;
        *) fail "nothing was installed" ;;
        esac
    fi
    as_root apt-get update -qq || fail "apt-get update failed; is there a network?"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null || fail "apt-get could not install: ${missing[*]}"
}

# What building and the stand-in service need.
PACKAGES_BUILD=(build-essential ca-certificates cmake ninja-build pkg-config libc-ares-dev
    libcurl4-openssl-dev libdeflate-dev libjson-c-dev libnghttp2-dev
    libsecret-1-dev libsqlite3-dev libssl-dev)
PACKAGES_SERVICE=(python3 python3-cryptography python3-h2 python3-hypercorn)

# A desktop session with a keyring, for the tests of store-keyring.
PACKAGES_KEYRING=(dbus-daemon gnome-keyring python3-dbus python3-gi)
