# Exits with 1 where the snapshot cannot be loaded, and with 2 where that is not known.
test -e data/dump.rdb || exit 0
timeout 50 redis-check-rdb data/dump.rdb
case $? in
    0) exit 0 ;;
    1) exit 1 ;;
    *) exit 2 ;;
esac
