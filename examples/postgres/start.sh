# Before each start: where a base backup lies beside the data it takes their place, and the log is replayed over it. The damaged
# data are kept, with the end of the log, which is archived nowhere yet. What was cut off in the midst of it goes on.
set -eu
test -e pg/new || exit 0
if test -e pg/data; then
    for segment in pg/data/pg_wal/????????????????????????; do
        name=${segment##*/}
        test -e "pg/wal/$name" || { cp "$segment" "pg/wal/$name.part" && mv "pg/wal/$name.part" "pg/wal/$name"; }
    done
    mv pg/data "pg/damaged-$(date +%s)"
fi
touch pg/new/recovery.signal
mv pg/new pg/data
echo "the newest base backup takes the place of damaged data"
