/*
 * Prints the layout of C structs that src/postgres declares: `struct field offset size`, and
 * `struct - size`. Built against the headers of one major by generate-layouts.sh.
 */
#include "postgres.h"

#include "access/xlog_internal.h"
#include "access/xlogrecord.h"
#include "catalog/pg_control.h"
#include "storage/bufpage.h"
#if PG_MAJOR >= 16
#include "storage/relfilelocator.h"
#define spcNode spcOid
#define dbNode dbOid
#define relNode relNumber
#define RelFileNode RelFileLocator
#else
#include "storage/relfilenode.h"
#endif

#undef printf
#define FIELD(type, field) \
	printf("%s %s %zu %zu\n", #type, #field, offsetof(type, field), sizeof(((type *) 0)->field))
#define SIZE(type, size) printf("%s - %zu\n", #type, (size_t) (size))

int
main(void)
{
	FIELD(PageHeaderData, pd_lsn); FIELD(PageHeaderData, pd_checksum); FIELD(PageHeaderData, pd_flags);
	FIELD(PageHeaderData, pd_lower); FIELD(PageHeaderData, pd_upper); FIELD(PageHeaderData, pd_special);
	FIELD(PageHeaderData, pd_pagesize_version); FIELD(PageHeaderData, pd_prune_xid);
	SIZE(PageHeaderData, SizeOfPageHeaderData);

	FIELD(XLogPageHeaderData, xlp_magic); FIELD(XLogPageHeaderData, xlp_info); FIELD(XLogPageHeaderData, xlp_tli);
	FIELD(XLogPageHeaderData, xlp_pageaddr); FIELD(XLogPageHeaderData, xlp_rem_len);
	SIZE(XLogPageHeaderData, SizeOfXLogShortPHD);
	FIELD(XLogLongPageHeaderData, std.xlp_magic); FIELD(XLogLongPageHeaderData, std.xlp_info);
	FIELD(XLogLongPageHeaderData, std.xlp_tli); FIELD(XLogLongPageHeaderData, std.xlp_pageaddr);
	FIELD(XLogLongPageHeaderData, std.xlp_rem_len); FIELD(XLogLongPageHeaderData, xlp_sysid);
	FIELD(XLogLongPageHeaderData, xlp_seg_size); FIELD(XLogLongPageHeaderData, xlp_xlog_blcksz);
	SIZE(XLogLongPageHeaderData, SizeOfXLogLongPHD);

	FIELD(XLogRecord, xl_tot_len); FIELD(XLogRecord, xl_xid); FIELD(XLogRecord, xl_prev);
	FIELD(XLogRecord, xl_info); FIELD(XLogRecord, xl_rmid); FIELD(XLogRecord, xl_crc);
	SIZE(XLogRecord, SizeOfXLogRecord);
	FIELD(XLogRecordBlockHeader, id); FIELD(XLogRecordBlockHeader, fork_flags);
	FIELD(XLogRecordBlockHeader, data_length);
	SIZE(XLogRecordBlockHeader, SizeOfXLogRecordBlockHeader);
	FIELD(XLogRecordBlockImageHeader, length); FIELD(XLogRecordBlockImageHeader, hole_offset);
	FIELD(XLogRecordBlockImageHeader, bimg_info);
	SIZE(XLogRecordBlockImageHeader, SizeOfXLogRecordBlockImageHeader);
	FIELD(XLogRecordBlockCompressHeader, hole_length);
	SIZE(XLogRecordBlockCompressHeader, SizeOfXLogRecordBlockCompressHeader);
	FIELD(RelFileNode, spcNode); FIELD(RelFileNode, dbNode); FIELD(RelFileNode, relNode);
	SIZE(RelFileNode, sizeof(RelFileNode));

	FIELD(CheckPoint, redo); FIELD(CheckPoint, ThisTimeLineID); FIELD(CheckPoint, PrevTimeLineID);
	FIELD(CheckPoint, fullPageWrites);
#if PG_MAJOR >= 17
	FIELD(CheckPoint, wal_level);
#endif
	FIELD(CheckPoint, nextXid); FIELD(CheckPoint, nextOid); FIELD(CheckPoint, nextMulti);
	FIELD(CheckPoint, nextMultiOffset); FIELD(CheckPoint, oldestXid); FIELD(CheckPoint, oldestXidDB);
	FIELD(CheckPoint, oldestMulti); FIELD(CheckPoint, oldestMultiDB); FIELD(CheckPoint, time);
	FIELD(CheckPoint, oldestCommitTsXid); FIELD(CheckPoint, newestCommitTsXid);
	FIELD(CheckPoint, oldestActiveXid);
	SIZE(CheckPoint, sizeof(CheckPoint));

	FIELD(ControlFileData, system_identifier); FIELD(ControlFileData, pg_control_version);
	FIELD(ControlFileData, catalog_version_no); FIELD(ControlFileData, state); FIELD(ControlFileData, time);
	FIELD(ControlFileData, checkPoint); FIELD(ControlFileData, checkPointCopy);
	FIELD(ControlFileData, unloggedLSN); FIELD(ControlFileData, minRecoveryPoint);
	FIELD(ControlFileData, minRecoveryPointTLI); FIELD(ControlFileData, backupStartPoint);
	FIELD(ControlFileData, backupEndPoint); FIELD(ControlFileData, backupEndRequired);
	FIELD(ControlFileData, wal_level); FIELD(ControlFileData, wal_log_hints);
	FIELD(ControlFileData, MaxConnections); FIELD(ControlFileData, max_worker_processes);
	FIELD(ControlFileData, max_wal_senders); FIELD(ControlFileData, max_prepared_xacts);
	FIELD(ControlFileData, max_locks_per_xact); FIELD(ControlFileData, track_commit_timestamp);
	FIELD(ControlFileData, maxAlign); FIELD(ControlFileData, floatFormat); FIELD(ControlFileData, blcksz);
	FIELD(ControlFileData, relseg_size); FIELD(ControlFileData, xlog_blcksz);
	FIELD(ControlFileData, xlog_seg_size); FIELD(ControlFileData, nameDataLen);
	FIELD(ControlFileData, indexMaxKeys); FIELD(ControlFileData, toast_max_chunk_size);
	FIELD(ControlFileData, loblksize); FIELD(ControlFileData, float8ByVal);
	FIELD(ControlFileData, data_checksum_version);
#if PG_MAJOR >= 18
	FIELD(ControlFileData, default_char_signedness);
#endif
	FIELD(ControlFileData, mock_authentication_nonce); FIELD(ControlFileData, crc);
	SIZE(ControlFileData, sizeof(ControlFileData));
	return 0;
}
