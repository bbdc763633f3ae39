# Puts the newest verified base backup beside the data. The server runs on meanwhile; start.sh takes it at the next start.
set -eu
rm -rf pg/fetched pg/unpacked pg/new
mainstay backup restore pg --into pg/fetched
mkdir -m 700 pg/unpacked
tar --numeric-owner -xf pg/fetched/base.tar -C pg/unpacked
chown --reference pg/data pg/unpacked
rm -rf pg/fetched
mv pg/unpacked pg/new
