/**
 * Host: one machine of a simulated world: its disk, the threads of its process, and what it owes.
 */
import { hostOf, mayBegin, type Configuration } from '../../src/consensus/membership.ts';
import { type SimulatedDisk } from './simulated-disk.ts';
import { type Watch } from './watch.ts';

export class Host {
  readonly name: string;
  readonly disk: SimulatedDisk;
  readonly threads: readonly string[];
  /** Milliseconds that its clock counts in one of the world's. */
  readonly clockRate: number;
  /** The members that live or lived here, and what each has promised. */
  readonly watches = new Map<string, Watch>();
  /** Its process does not run. */
  isDown = false;
  /** It has no power: nobody says that its process does not run. */
  isOff = false;
  /** Somebody changed bytes on its disk: whoever lives here now need not work. */
  isDamaged = false;
  /** Counts its processes. */
  lives = 0;
  /** Counts proposers without a compute. */
  interims = 0;

  constructor(name: string, disk: SimulatedDisk, clockRate: number) {
    this.name = name;
    this.disk = disk;
    this.threads = [`main-${name}`, `wal-${name}`, `storage-${name}`];
    this.clockRate = clockRate;
  }

  /** Its disk is empty. Whoever may have taken part in anything is lost for good. */
  wipe(configuration: Configuration): void {
    this.disk.wipe();
    for (const [id, watch] of this.watches)
      if (mayBegin(configuration, id)) this.watches.delete(id);
      else watch.lose();
  }

  /** Whether this member, who lives here, has lost its log, or cannot read it. */
  isLost(id: string): boolean {
    return hostOf(id) === this.name && (this.isDamaged || this.watches.get(id)?.isLost === true);
  }
}
