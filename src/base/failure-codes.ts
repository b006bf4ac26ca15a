/**
 * Every failure the outside world can cause, and what whoever meets it should do: the vocabulary of
 * errors, in one place. A code never changes its kind. Grouped by the folder that raises it.
 */

/**
 * `corrupt` stop and alarm · `unavailable` retry · `fenced` step down · `invalid` tell the
 * requester · `cancelled` unwind.
 */
export type FailureKind = 'corrupt' | 'unavailable' | 'fenced' | 'invalid' | 'cancelled';

export const failureCodes = {
  // base
  lsn_unreadable: 'invalid',
  internal_error: 'unavailable', // a bug met on someone's behalf

  // postgres
  major_unsupported: 'invalid',
  system_id_unreadable: 'invalid',
  wal_page_magic_mismatch: 'corrupt',
  wal_page_flags_invalid: 'corrupt',
  wal_page_address_mismatch: 'corrupt',
  wal_page_timeline_mismatch: 'corrupt',
  wal_segment_size_mismatch: 'corrupt',
  wal_system_id_mismatch: 'corrupt',
  wal_contrecord_missing: 'corrupt',
  wal_contrecord_unexpected: 'corrupt',
  wal_contrecord_length_mismatch: 'corrupt',
  wal_record_length_invalid: 'corrupt',
  wal_record_manager_unknown: 'corrupt',
  wal_record_previous_mismatch: 'corrupt',
  wal_record_checksum_mismatch: 'corrupt',
  wal_bytes_after_end: 'corrupt',
  wal_block_invalid: 'corrupt',
  wal_record_body_invalid: 'corrupt',
  wal_image_invalid: 'corrupt',
  checkpoint_invalid: 'corrupt',
  control_file_version_unknown: 'corrupt',
  control_file_checksum_mismatch: 'corrupt',
  control_file_unsupported: 'corrupt',
  page_header_invalid: 'corrupt',
  page_item_invalid: 'corrupt',
  page_slot_missing: 'corrupt',
  page_slot_in_use: 'corrupt',
  page_full: 'corrupt',
  redo_page_unexpected: 'corrupt', // the page is not one the record can be applied to
  redo_record_unknown: 'corrupt', // no redo for this kind of record
  redo_failed: 'corrupt', // a page could not be rebuilt; the cause says why
  redo_page_missing: 'corrupt', // the same, for a page that no record has made
  page_value_invalid: 'corrupt', // not a value a page can be rebuilt from
  wal_record_unknown: 'corrupt', // its manager writes no such record in this major
  wal_record_malformed: 'corrupt', // shorter than its own fields say
  resource_manager_unsupported: 'corrupt', // its pages could not be rebuilt: the timeline halts
  tablespace_unsupported: 'corrupt', // directories outside the data directory
  replication_origins_invalid: 'corrupt',
  checkpoint_missing: 'corrupt', // ingest began on a timeline without an imported checkpoint
  redo_record_malformed: 'corrupt', // the record lacks what its kind must have

  // layers
  layer_truncated: 'corrupt',
  layer_magic_wrong: 'corrupt',
  layer_version_unknown: 'corrupt',
  layer_header_checksum_mismatch: 'corrupt',
  layer_header_malformed: 'corrupt',
  layer_header_of_another_file: 'corrupt',
  layer_footer_missing: 'corrupt',
  layer_footer_checksum_mismatch: 'corrupt',
  layer_size_wrong: 'corrupt',
  layer_index_checksum_mismatch: 'corrupt',
  layer_index_malformed: 'corrupt',
  layer_value_checksum_mismatch: 'corrupt',
  layer_value_malformed: 'corrupt',
  layer_page_checksum_mismatch: 'corrupt',
  layer_name_unreadable: 'corrupt',
  layer_ranges_overlap: 'corrupt',
  layer_before_branch: 'corrupt',
  manifest_unreadable: 'corrupt',
  manifest_checksum_mismatch: 'corrupt',
  manifest_version_unknown: 'corrupt',
  manifest_malformed: 'corrupt',

  // consensus
  generation_stale: 'fenced', //          the quorum has a newer configuration
  generation_unknown: 'unavailable', //   the acceptor was not told of this configuration yet
  append_before_election: 'unavailable', // the acceptor does not follow this term yet
  append_leaves_gap: 'unavailable', //    an earlier append was refused: this one cannot stand
  append_not_wal: 'invalid', //           the proposer's bytes are no WAL: nothing was stored
  log_moved: 'unavailable', //            the vote this was computed from is out of date
  log_diverged: 'corrupt', //             committed WAL contradicts the elected proposer's
  timeline_mismatch: 'invalid', //        they mean two different timelines
  acceptor_of_another_member: 'invalid', // whoever lives here is not the one that was asked
  acceptor_not_member: 'fenced', //       its configuration is one without it: it has no say
  acceptor_is_member: 'invalid', //       it may not leave
  configuration_contradicts: 'invalid', // one generation of two configurations
  change_under_way: 'invalid', //         a joint configuration: resume or abort that change first
  change_missing: 'invalid', //           no change of members is under way
  change_decided: 'invalid', //           the new members are the members: it cannot be called off any more
  change_invalid: 'invalid', //           no such member, nothing to change, or two on one host

  // io
  layer_file_missing: 'corrupt',
  layer_file_unreadable: 'corrupt',
  host_missing: 'unavailable',
  host_refused: 'invalid',
  disk_full: 'unavailable', //            nothing acknowledged is lost; works again when there is room
  disk_failed: 'unavailable',
  store_unavailable: 'unavailable', //    the change may have happened, or may yet
  store_object_damaged: 'corrupt',
  store_key_invalid: 'invalid',
  postgres_unreachable: 'unavailable',
  postgres_error: 'invalid', //           the server refused; `sqlstate` says why
  postgres_protocol_broken: 'unavailable',
  postgres_stream_closed: 'cancelled', // we no longer want it
  postgres_missing: 'invalid',
  postgres_start_failed: 'unavailable',
  initdb_failed: 'unavailable',
  mount_failed: 'unavailable',
  fuse_unavailable: 'invalid', //       no /dev/fuse: load the module or export a full copy
  fuse_not_permitted: 'invalid', //     mounting needs CAP_SYS_ADMIN
  fuse_mount_failed: 'unavailable',
  fuse_unmount_failed: 'unavailable',
  fuse_version_unsupported: 'invalid',
  address_in_use: 'invalid',
  address_refused: 'invalid',
  peer_unreachable: 'unavailable', //    another host: not there, or the connection broke
  peer_refused: 'invalid', //            it does not know the cluster's secret, or is another host

  // runtime
  pages_timed_out: 'unavailable',
  pages_refused: 'unavailable',
  actor_missing: 'unavailable', //      nobody lives at the path (yet, or any more)
  actor_crashed: 'unavailable', //      a bug stopped it; it is being restarted
  actor_stopped: 'cancelled', //        it is gone, or the asker is
  actor_halted: 'corrupt', //           it met corruption and refuses everything since
  actor_restarts_exhausted: 'unavailable',
  actor_stop_timed_out: 'unavailable',
  actor_exists: 'invalid',
  actor_path_invalid: 'invalid',
  actor_not_respawnable: 'unavailable', // its options held a port, which went with the thread
  behavior_unknown: 'invalid',
  mailbox_full: 'unavailable',
  ask_timed_out: 'unavailable',
  ring_full: 'unavailable',
  message_too_large: 'invalid',
  directory_full: 'unavailable',
  thread_unknown: 'invalid',
  thread_died: 'unavailable',
  thread_start_failed: 'unavailable',
  runtime_stopped: 'cancelled',

  // actors
  branch_is_root: 'invalid',
  project_file_damaged: 'corrupt',
  project_file_version: 'invalid',
  project_missing: 'invalid', //         timelines are kept here whose project the object store lacks
  project_not_made: 'unavailable', //     the first host of the cluster makes it
  project_exists: 'unavailable', //      another host made one at the same time
  host_unknown: 'invalid', //            no such host in the cluster
  change_not_done: 'unavailable', //     a change of members ended otherwise; it can be begun or resumed
  birth_missing: 'invalid', //           the object store does not say how the timeline began
  timeline_state_missing: 'corrupt',
  import_not_shut_down: 'invalid',
  timeline_missing: 'unavailable', // not started yet, or deleted
  timeline_gap: 'unavailable', //     the bytes do not follow on what was received
  acceptor_missing: 'unavailable', //     no log here: not begun yet, or lost
  acceptor_lost: 'invalid', //            the project names it and it has no log: it never gets one again
  acceptor_exists: 'invalid', //          created before, with another start
  acceptor_control_damaged: 'corrupt',
  acceptor_wal_damaged: 'corrupt', //     stored WAL ends before what was committed
  wal_removed: 'invalid', //              no longer kept here, nor to be had from the object store
  archive_differs: 'corrupt', //          the object store has other WAL than what was committed
  archive_unavailable: 'unavailable', //  WAL is in the object store, and cannot be had from there now
  wal_not_yet_written: 'invalid',
  wal_position_invalid: 'invalid', //     no record can end there
  election_lost: 'unavailable', //        somebody has a higher term: elect again
  quorum_unreachable: 'unavailable',
  wal_transfer_failed: 'unavailable',
  proposer_not_leading: 'invalid',
  proposer_streams_already: 'invalid',
  proposer_fenced: 'fenced',
  filesystem_path_unsupported: 'invalid', //  a snapshot names a file outside the mounted directories
  filesystem_upper_full: 'unavailable', //    no slot, inode or map node left: trim or grow
  filesystem_writes_lost: 'corrupt', //       a delayed write failed: this mount must go
  branch_missing: 'invalid',
  branch_exists: 'invalid',
  branch_name_invalid: 'invalid',
  branch_has_children: 'invalid',
  branch_in_use: 'invalid',
  endpoint_stopped: 'invalid',
  lsn_before_history: 'invalid',
  lsn_in_future: 'invalid',
  replication_refused: 'invalid', //      a client's wish; `sqlstate` and `reason` are what it is told
  timeline_behind: 'unavailable',
  timeline_halted: 'corrupt',
  compute_stopping: 'unavailable',
  data_directory_in_use: 'invalid',
  data_directory_version: 'invalid',
  data_directory_unusable: 'invalid',
  not_root: 'invalid',

  // config
  config_unreadable: 'invalid',
  config_invalid: 'invalid',
} as const satisfies Readonly<Record<string, FailureKind>>;

export type FailureCode = keyof typeof failureCodes;
