# Exits with 1 where the server has read damaged pages, and with 2 where it does not say.
pages=$(timeout 4 psql -h 127.0.0.1 -p 5432 -U postgres -d postgres -XAtc \
    "select coalesce(sum(checksum_failures), 0) from pg_stat_database") || exit 2
echo "damaged pages that were read: $pages"
test "$pages" -eq 0
