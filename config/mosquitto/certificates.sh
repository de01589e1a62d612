#!/bin/sh
# Certificates for a broker, its sites and principals, by openssl alone. The folder (CA, default ./derctl-ca) is the
# authority: keep it on a machine of its own. A key is made where it is used and never travels: only NAME.csr does.
#
#   certificates.sh init BROKER_NAME    on the authority: ca.pem, ca.crl and a key and certificate for the broker
#   certificates.sh request NAME        on the site, or where a principal's program runs: NAME.key and NAME.csr
#   certificates.sh enrol NAME.csr      on the authority: NAME.pem; refused where the name has a certificate that counts
#   certificates.sh renew NAME.csr      on the authority: another NAME.pem, where NAME.csr.sig beside it shows that a key of
#                                       that name asks whose certificate counts; the one before counts until it ends
#   certificates.sh all FOLDER LIST     on the authority: enrols or renews each NAME.csr in the folder whose name is a line
#                                       of the list; the others are refused, and it says 1
#   certificates.sh again NAME          on the site, for a renewal: NAME.next.key, NAME.csr, and NAME.csr.sig by the key in
#                                       use, which stays. Where that is lost: revoke and enrol
#   certificates.sh take NAME NEW.pem   on the site: puts it and the key that it is for in the place of those in use
#   certificates.sh revoke NAME         on the authority: all of that name, and a new ca.crl for the broker
#   certificates.sh crl                 on the authority: a new ca.crl; it counts for CRL_DAYS
#   certificates.sh due DAYS            on the authority: whose last certificate ends within so many days
#
# DAYS (default 180) is how long a client's certificate counts, CRL_DAYS (30) a revocation list.
set -eu
umask 077
CA=${CA:-derctl-ca}
DAYS=${DAYS:-180}
CRL_DAYS=${CRL_DAYS:-30}

fail() {
    echo "certificates.sh: $*" >&2
    exit 1
}

named() { # letters, digits, . _ @ and -: what a principal may be called
    case $1 in
    '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._@-]*) fail "'$1' is no name: letters, digits, . _ @ and -" ;;
    esac
    [ ${#1} -le 64 ] || fail "'$1' has more than 64 characters"
}

authority() { openssl ca -config "$CA/ca.cnf" -batch -notext "$@" 2>"$CA/last.log" || fail "$(tail -n 3 "$CA/last.log")"; }

crl() { authority -gencrl -crldays "$CRL_DAYS" -out "$CA/ca.crl"; }

request() { # KEY CSR NAME
    [ ! -e "$1" ] || fail "$1 is there already: keep it, or move it away"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1" -out "$2" -subj "/CN=$3" \
        2>/dev/null
}

name_in() { # CSR: its name, if it is signed by its own key and has nothing but a name
    openssl req -in "$1" -verify -noout 2>/dev/null || fail "$1 is no request, or not signed by its own key"
    subject=$(openssl req -in "$1" -noout -subject -nameopt multiline | sed 1d)
    [ "$(printf '%s\n' "$subject" | wc -l)" -eq 1 ] || fail "$1 has more in its subject than a name"
    printf '%s\n' "$subject" | sed -n 's/^ *commonName *= //p'
}

# The authority's index: V (counts), the end as YYMMDDHHMMSSZ, -, serial, file, subject; R what was revoked.
counting() { openssl ca -config "$CA/ca.cnf" -updatedb 2>/dev/null && awk -F '\t' -v cn="/CN=$1" '$1 == "V" && $6 == cn { print $4 }' "$CA/index.txt"; }

vouched() { # CSR NAME: whether a key of that name has signed it whose certificate counts
    [ -e "$1.sig" ] || fail "$1.sig is missing: certificates.sh again $2 makes it where the key in use is; if that is lost, revoke $2 and enrol it"
    for serial in $(counting "$2"); do
        openssl x509 -in "$CA/issued/$serial.pem" -noout -pubkey >"$CA/last.pub"
        ! openssl dgst -sha256 -verify "$CA/last.pub" -signature "$1.sig" "$1" >"$CA/last.log" 2>&1 || return 0
    done
    fail "$1.sig is by no key of $2 whose certificate counts"
}

sign() { # CSR EXTENSIONS DAYS OUT
    authority -in "$1" -extensions "$2" -days "$3" -out "$4" -outdir "$CA/issued"
    chmod 644 "$4"
}

enrol() { # CSR WHETHER_IT_MAY_HAVE_ONE
    name=$(name_in "$1")
    named "$name"
    have=$(counting "$name")
    if [ "$2" = new ]; then
        [ -z "$have" ] || fail "$name has a certificate that counts: renew it, or revoke it first"
    else
        [ -n "$have" ] || fail "$name has no certificate that counts: enrol it"
        vouched "$1" "$name"
    fi
    sign "$1" client "$DAYS" "$(dirname "$1")/$name.pem"
}

all() { # FOLDER LIST
    [ -r "$2" ] || fail "$2: a list of names, one a line, is missing"
    refused=0
    for csr in "$1"/*.csr; do
        [ -e "$csr" ] || fail "$1 has no request"
        how=new
        if ! name=$(name_in "$csr") || ! (named "$name"); then refused=1 && continue; fi
        if ! grep -qxF -e "$name" "$2"; then
            echo "$name: not in $2" && refused=1 && continue
        fi
        [ -z "$(counting "$name")" ] || how=again
        if (enrol "$csr" $how); then echo "$name: $how"; else refused=1; fi
    done
    return $refused
}

again() { # NAME
    [ -e "$1.key" ] || fail "$1.key is missing: nothing else shows that the request is by $1"
    request "$1.next.key" "$1.csr" "$1"
    openssl dgst -sha256 -sign "$1.key" -out "$1.csr.sig" "$1.csr"
}

take() { # NAME NEW.pem
    [ -e "$1.next.key" ] || fail "$1.next.key is missing: certificates.sh again $1"
    [ "$(openssl x509 -in "$2" -noout -pubkey)" = "$(openssl pkey -in "$1.next.key" -pubout)" ] ||
        fail "$2 is not for $1.next.key"
    cp "$2" "$1.next.pem"
    mv "$1.next.key" "$1.key"
    mv "$1.next.pem" "$1.pem"
}

init() { # BROKER_NAME
    [ ! -e "$CA" ] || fail "$CA is there already"
    mkdir -p "$CA/issued"
    : >"$CA/index.txt"
    echo 1000 >"$CA/crlnumber"
    case $1 in *[!0-9.]*) broker=DNS:$1 ;; *) broker=IP:$1 ;; esac
    cat >"$CA/ca.cnf" <<END
[ca]
default_ca = own
[own]
database = $CA/index.txt
new_certs_dir = $CA/issued
certificate = $CA/ca.pem
private_key = $CA/ca.key
crlnumber = $CA/crlnumber
rand_serial = yes
default_md = sha256
unique_subject = no
policy = name
[name]
commonName = supplied
[client]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
[broker]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $broker
END
    openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$CA/ca.key" \
        -out "$CA/ca.pem" -subj "/CN=derctl authority" -days 3650 -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
    request "$CA/broker.key" "$CA/broker.csr" "$1"
    sign "$CA/broker.csr" broker 825 "$CA/broker.pem"
    crl
}

revoke() { # NAME
    serials=$(counting "$1")
    [ -n "$serials" ] || fail "$1 has no certificate that counts"
    for serial in $serials; do authority -revoke "$CA/issued/$serial.pem"; done
    crl
}

due() { # DAYS: the last one of each name counts
    openssl ca -config "$CA/ca.cnf" -updatedb 2>/dev/null
    until=$(date -u -d "+$1 days" +%y%m%d%H%M%SZ)
    awk -F '\t' '$1 == "V" && $2 > last[$6] { last[$6] = $2 } END { for (name in last) print last[name], name }' "$CA/index.txt" |
        sort | awk -v until="$until" '$1 < until { sub(/^\/CN=/, "", $2); print $2, "ends 20" $1 }'
}

[ $# -ge 1 ] || fail "say init, request, enrol, renew, all, again, take, revoke, crl or due (see the head of this file)"
verb=$1
shift
case $verb:$# in
init:1) init "$1" ;;
request:1) named "$1" && request "$1.key" "$1.csr" "$1" ;;
enrol:1) enrol "$1" new ;;
renew:1) enrol "$1" again ;;
all:2) all "$1" "$2" ;;
again:1) named "$1" && again "$1" ;;
take:2) named "$1" && take "$1" "$2" ;;
revoke:1) revoke "$1" ;;
crl:0) crl ;;
due:1) due "$1" ;;
*) fail "$verb: not like that (see the head of this file)" ;;
esac
