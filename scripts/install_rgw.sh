#!/bin/sh
# Install Ceph's RGW, a real S3 server, from Debian; the tests use moto_server where this cannot.
set -u
command -v radosgw >/dev/null 2>&1 && command -v ceph-mon >/dev/null 2>&1 && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "no root or no apt: the tests will use moto_server instead of Ceph's RGW"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq &&
    apt-get install -y -qq --no-install-recommends ceph-mon ceph-osd radosgw ceph-common \
        >/dev/null || echo "Ceph could not be installed: the tests will use moto_server"
exit 0
