#!/usr/bin/env bash
# Makes the WAL fixtures: test/golden/wal-<major>.gz, two segments of 1 MiB each (the first from its
# start, the second as far as it is written), and wal-<major>.txt.gz, what Postgres's own pg_walinspect says is in them.
#
#   generate-wal.sh <major> <directory of postgres, initdb, pg_ctl> <psql>
#
# The server must have pg_walinspect; it is asked for every compression it was built with.
set -euo pipefail
major=$1 bin=$2 psql=$3
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d); chmod 755 "$work"; trap 'rm -rf "$work"' EXIT
port=$((54000 + major))
as() { setpriv --reuid 65534 --regid 65534 --clear-groups env LC_ALL=C "$@"; }
sql() { "$psql" -X -h "$work" -p "$port" -U postgres -q -A -t -v ON_ERROR_STOP=1 "$@"; }
chown 65534:65534 "$work"; cd "$work"
as "$bin/initdb" -D "$work/data" -U postgres -E UTF8 --locale=C --wal-segsize=1 -N -A trust >/dev/null
as "$bin/pg_ctl" -D "$work/data" -w -l "$work/log" -o "-p $port -k $work -c listen_addresses='' \
  -c wal_keep_size=100MB -c autovacuum=off -c fsync=off -c bgwriter_lru_maxpages=0 -c wal_level=logical \
  -c max_prepared_transactions=5 -c track_commit_timestamp=on -c wal_recycle=off" start >/dev/null
trap 'as "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null; rm -rf "$work"' EXIT

methods=$(sql -c "select string_agg(m, ' ') from pg_settings, unnest(enumvals) m
  where name = 'wal_compression' and m in ('off', 'pglz', 'lz4', 'zstd')")
work() { sql <<SQL
create table pages$1 (id int, body text);
insert into pages$1 select g, 'word' || repeat(' ' || g, 20) from generate_series(1, 100) g;
create table rows$1 (id serial primary key, body text);
insert into rows$1 (body) select 'row ' || g from generate_series(1, 50) g;
update rows$1 set body = body || ' changed' where id % 3 = 0;
delete from rows$1 where id between 10 and 20;
begin; savepoint a; insert into rows$1 (body) values ('sub'); release a; insert into rows$1 (body) values ('top'); commit;
begin; insert into rows$1 (body) values ('gone'); rollback;
begin; insert into rows$1 (body) values ('prepared'); prepare transaction 'one'; commit prepared 'one';
begin; select from rows$1 where id < 5 for update; commit;
select from pg_logical_emit_message(true, 'long', repeat('twenty thousand ', 1250));
create index on rows$1 using hash (id) with (fillfactor = 100); create index on rows$1 using brin (id);
create index on rows$1 using spgist (body); create index on rows$1 using gin (to_tsvector('simple', body));
create index on rows$1 using gist (point(id, id));
insert into rows$1 (body) values ('indexed'); vacuum rows$1; truncate rows$1;
SQL
}
sql -c 'create extension pg_walinspect' -c 'checkpoint'
work 1
sql -c 'select from pg_switch_wal()' >/dev/null
sql -c "select from pg_logical_emit_message(false, 'first', 'of the segment')"
first=$(sql -c 'select pg_walfile_name(pg_current_wal_insert_lsn())')
work 2
sql -c "select from pg_switch_wal()"
for method in $methods; do
  sql -c "set wal_compression = $method" -c 'checkpoint' -c 'update pages2 set id = id where id % 30 = 0'
done
read -r second end < <(sql -F ' ' -c 'select pg_walfile_name(pg_current_wal_insert_lsn()), pg_current_wal_insert_lsn()')
begin=$(sql -c "select '0/' || upper(to_hex(x'${first:16}'::int::bigint * 1048576))")
call="pg_get_wal_records_info('$begin', '$end')"
[ "$major" = 15 ] && call="pg_get_wal_records_info_till_end_of_wal('$begin')"
sql -F '|' -c "
  select start_lsn, end_lsn, prev_lsn, xid, resource_manager, record_type, record_length, main_data_length, fpi_length, block_ref
  from $call where start_lsn < '$end' order by start_lsn" | gzip -9n >"$here/wal-$major.txt.gz"
used=$(((16#${end#*/}) % 1048576))
(cat "data/pg_wal/$first" && head -c $used "data/pg_wal/$second") | gzip -9n >"$here/wal-$major.gz"
ls -l "$here/wal-$major".*
