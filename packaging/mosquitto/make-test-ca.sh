#!/bin/sh
# Two certificate authorities FOR TESTS, in one folder: their keys lie there unencrypted.
#
#   make-test-ca.sh make FOLDER NAME...          authority; broker's certificate for these names or addresses;
#                                                authority of consoles, and a console's certificate
#   make-test-ca.sh sign FOLDER REQUEST OUT [DAYS]   a certificate for a station that asks, 365 days
#
# Nothing is ever overwritten. Needs openssl 3.
set -eu
umask 077

fail() { echo "make-test-ca.sh: $1" >&2; exit 1; }
usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fresh() { for file in "$@"; do [ ! -e "$file" ] || fail "$file is there already; move it away first"; done; }
serial() { echo "0x01$(openssl rand -hex 15)"; }
new_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null ||
            openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

warn() {
  echo "*** FOR TESTS ONLY: whoever can read the keys in $1 can be any station and the console. ***" >&2
  echo "*** On a line use authorities whose keys are not on a computer of the line. ***" >&2
}

# extensions USAGE [NAMES]: what is written into a certificate that is no authority's
extensions() {
  echo "basicConstraints = critical, CA:FALSE"
  echo "keyUsage = critical, digitalSignature"
  echo "extendedKeyUsage = $1"
  echo "subjectKeyIdentifier = hash"
  echo "authorityKeyIdentifier = keyid"
  [ -z "${2:-}" ] || echo "subjectAltName = $2"
}

# authority CA COMMON_NAME: the key and certificate of one, CA.key and CA.pem
authority() {
  new_key "$1.key"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 3650 -sha256 \
    -set_serial "$(serial)" -config "$work/plain" -extensions authority -out "$1.pem"
}

# issue CA REQUEST OUT DAYS USAGE [NAMES]
issue() {
  extensions "$5" "${6:-}" > "$work/extensions"
  openssl x509 -req -in "$2" -CA "$1.pem" -CAkey "$1.key" -set_serial "$(serial)" -days "$4" -sha256 \
    -extfile "$work/extensions" -out "$work/signed" 2>/dev/null || fail "$2 cannot be signed"
  mv "$work/signed" "$3"
}

# own FOLDER CA NAME USAGE [NAMES]: a key and a certificate of a name
own() {
  new_key "$1/$3.key"
  openssl req -new -key "$1/$3.key" -subj "/CN=$3" -config "$work/plain" -out "$work/request"
  issue "$1/$2" "$work/request" "$1/$3.pem" 365 "$4" "${5:-}"
}

make_all() {
  folder=$1
  shift
  mkdir -p "$folder"
  for name in ca broker console-ca console; do fresh "$folder/$name.key" "$folder/$name.pem"; done
  names=
  for name in "$@"; do
    case $name in
      *[!A-Za-z0-9.:-]*) fail "$name is neither a name nor an address" ;;
      *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) kind=IP ;;
      *) kind=DNS ;;
    esac
    names="${names:+$names,}$kind:$name"
  done
  authority "$folder/ca" "edge-agent TEST authority"
  own "$folder" ca broker serverAuth "$names"
  authority "$folder/console-ca" "edge-agent TEST authority of consoles"
  own "$folder" console-ca console clientAuth
  echo "made in $folder: ca, broker for $names, console-ca, console"
  warn "$folder"
}

sign() {
  folder=$1 request=$2 out=$3 days=${4:-365}
  [ -r "$folder/ca.key" ] || fail "there is no authority in $folder"
  [ -r "$request" ] || fail "$request cannot be read"
  fresh "$out"
  # openssl 3.0 gives 0 for a bad signature too: what it says counts.
  case $(openssl req -in "$request" -verify -noout 2>&1) in
    *"verify OK"*) ;;
    *) fail "$request is no certificate request, or was changed" ;;
  esac
  subject=$(openssl req -in "$request" -noout -subject -nameopt RFC2253)
  name=${subject#subject=CN=}
  case $name in
    "$subject" | "" | *[!a-z0-9-]*) fail "$subject is not the name of a station: 1 to 40 of a-z, 0-9 and -" ;;
    console | broker) fail "$name is not a station's name: the broker would take it for the $name" ;;
  esac
  [ ${#name} -le 40 ] || fail "$name is too long for a station: 1 to 40 of a-z, 0-9 and -"
  issue "$folder/ca" "$request" "$out" "$days" clientAuth "DNS:$name"
  echo "signed for $name, $days days: $out"
  warn "$folder"
}

command -v openssl >/dev/null || fail "openssl is not installed: apt-get install openssl"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/plain" <<EOF
[req]
distinguished_name = nothing
[nothing]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
EOF

case ${1:-} in
  make) [ $# -ge 3 ] || usage; shift; make_all "$@" ;;
  sign) [ $# -ge 4 ] && [ $# -le 5 ] || usage; shift; sign "$@" ;;
  *) usage ;;
esac
