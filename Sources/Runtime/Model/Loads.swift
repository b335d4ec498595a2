// Loads as values, and the port to what carries them: a worker process for each lease, which holds processor time,
// memory, space or transfers for as long as it lives. The kernel ends it with the agent, so nothing needs undoing
// but a control group that is left empty.

/// Processor time that is used up.
package struct ProcessorLoad: Sendable, Hashable, Codable {
    /// The share of `capacity` that is asked for, 0…1.
    package var share: Double
    /// Whether what others use counts too, so that only the rest is added.
    package var isTotal: Bool
    /// The processors that are kept busy, one thread each.
    package var processors: [Int]
    /// What 100 % is: processors' worth of time.
    package var capacity: Double
    /// The control group whose use counts, when it is not the host's.
    package var group: ControlGroup?

    /// Makes a load.
    package init(
        share: Double,
        isTotal: Bool,
        processors: [Int],
        capacity: Double,
        group: ControlGroup?
    ) {
        self.share = share
        self.isTotal = isTotal
        self.processors = processors
        self.capacity = capacity
        self.group = group
    }
}

/// Memory that is held.
package struct MemoryLoad: Sendable, Hashable, Codable {
    /// How much.
    package enum Amount: Sendable, Hashable, Codable {
        /// This many bytes of its own.
        case bytes(Int)
        /// As much as it takes until this share, 0…1, of the limit is in use by all.
        case inUse(Double)
    }

    /// What happens when the kernel kills the worker because memory is out.
    package enum OnOutOfMemory: String, Sendable, Hashable, Codable, CaseIterable {
        /// The fault has ended early.
        case fail
        /// Another worker takes its place.
        case respawn
        /// That was what the experiment is about: the fault counts as done.
        case ignore
    }

    /// How much is held.
    package var amount: Amount
    /// What 100 % is, in bytes.
    package var limit: Int
    /// How long filling takes, in milliseconds.
    package var rampMs: Double
    /// What the host must have left, in bytes; below it the worker gives memory back.
    package var keepFree: Int
    /// What happens when memory is out.
    package var onOutOfMemory: OnOutOfMemory
    /// The control group whose use counts, when it is not the host's.
    package var group: ControlGroup?

    /// Makes a load.
    package init(
        amount: Amount,
        limit: Int,
        rampMs: Double,
        keepFree: Int,
        onOutOfMemory: OnOutOfMemory,
        group: ControlGroup?
    ) {
        self.amount = amount
        self.limit = limit
        self.rampMs = rampMs
        self.keepFree = keepFree
        self.onOutOfMemory = onOutOfMemory
        self.group = group
    }
}

/// Space of a file system that is taken.
package struct SpaceLoad: Sendable, Hashable, Codable {
    /// How much.
    package enum Amount: Sendable, Hashable, Codable {
        /// This many bytes.
        case bytes(Int)
        /// Until this share, 0…1, is used as df(1) counts.
        case used(Double)
    }

    /// The folder in which the files without a name are; resolved when it is opened.
    package var folder: String
    /// The device of the file system that was planned with; another there now is refused.
    package var device: UInt64
    /// How much.
    package var amount: Amount
    /// What must stay available to ordinary users, in bytes.
    package var keepFree: Int
    /// Whether the files keep their names, for programs that look for what fills the disk.
    package var isVisible: Bool

    /// Makes a load.
    package init(
        folder: String,
        device: UInt64,
        amount: Amount,
        keepFree: Int,
        isVisible: Bool
    ) {
        self.folder = folder
        self.device = device
        self.amount = amount
        self.keepFree = keepFree
        self.isVisible = isVisible
    }
}

/// Reading and writing on a file system.
package struct TransferLoad: Sendable, Hashable, Codable {
    /// The folder in which the files without a name are.
    package var folder: String
    /// The device of the file system that was planned with.
    package var device: UInt64
    /// Bytes a second that are read; 0 for none.
    package var readRate: Double
    /// Bytes a second that are written; 0 for none.
    package var writeRate: Double
    /// Bytes of one transfer.
    package var blockSize: Int
    /// Whether the page cache is passed by.
    package var isDirect: Bool
    /// How large the file of each direction is.
    package var fileSize: Int

    /// Makes a load.
    package init(
        folder: String,
        device: UInt64,
        readRate: Double,
        writeRate: Double,
        blockSize: Int,
        isDirect: Bool,
        fileSize: Int
    ) {
        self.folder = folder
        self.device = device
        self.readRate = readRate
        self.writeRate = writeRate
        self.blockSize = blockSize
        self.isDirect = isDirect
        self.fileSize = fileSize
    }
}

/// What a worker holds.
package enum Load: Sendable, Hashable, Codable {
    case processor(ProcessorLoad)
    case memory(MemoryLoad)
    case space(SpaceLoad)
    case transfer(TransferLoad)
}

/// What a worker was measured to do.
package struct LoadState: Sendable, Hashable, Codable {
    /// In words: `holds 512 MiB`.
    package var seen: String
    /// Asked and measured values.
    package var figures: [Figure]

    /// Makes a state.
    package init(_ seen: String, figures: [Figure]) {
        self.seen = seen
        self.figures = figures
    }
}

/// The memory of the host, in bytes.
package struct HostMemory: Sendable, Hashable {
    /// All of it.
    package var total: Int
    /// What programs can have without swapping, as the kernel estimates it.
    package var available: Int

    /// Makes it.
    package init(total: Int, available: Int) {
        self.total = total
        self.available = available
    }
}

/// A file system as df(1) sees it, in bytes.
package struct FileSystemSpace: Sendable, Hashable {
    /// The folder that was asked for, symbolic links and bind mounts resolved.
    package var folder: String
    /// The device number.
    package var device: UInt64
    /// Its kind: `ext4`.
    package var kind: String
    /// The size of its blocks.
    package var block: Int
    /// What is used.
    package var used: Int
    /// What ordinary users can still have.
    package var available: Int
    /// The whole disk that it is on, `254:0`; nil when there is none.
    package var disk: String?
    /// Why no file can be made in the folder, and what to do about that; nil when one can.
    package var obstacle: String?

    /// Makes it.
    package init(
        folder: String,
        device: UInt64,
        kind: String,
        block: Int,
        used: Int,
        available: Int,
        disk: String? = nil,
        obstacle: String? = nil
    ) {
        self.disk = disk
        self.obstacle = obstacle
        self.folder = folder
        self.device = device
        self.kind = kind
        self.block = block
        self.used = used
        self.available = available
    }

    /// Whether both are one file system; btrfs gives each subvolume a device number of its own.
    package func isSame(as other: FileSystemSpace) -> Bool {
        device == other.device
            || (kind == "btrfs" && other.kind == kind && used == other.used
                && available == other.available)
    }

    /// The share that is used as df(1) counts: what is reserved for root is left out.
    package var share: Double {
        used + available > 0 ? Double(used) / Double(used + available) : 0
    }

    /// How many bytes more make it `share` used, in whole blocks, rounded down; less than 0 when it is above that.
    package func bytes(toUse share: Double) -> Int {
        // In whole numbers: a terabyte and half a percent are beyond what a rounded percentage can say.
        let millionths = Int((share * 1_000_000).rounded())
        let blocks = (used + available) / max(block, 1)
        let wanted = blocks.multipliedFullWidth(by: millionths)
        let (target, _) = 1_000_000.dividingFullWidth(wanted)
        return (target - used / max(block, 1)) * block
    }
}

/// Loads, and what must be known before one is made.
package protocol LoadPort: Sendable {
    /// The processors that a process may use; those of the agent for nil.
    func processors(of process: ProcessIdentity?) throws(KernelError) -> [Int]

    /// The memory of the host.
    func memory() throws(KernelError) -> HostMemory

    /// The file system of a folder, or of a file's folder.
    func space(at path: String) throws(KernelError) -> FileSystemSpace

    /// Starts a load in a worker of its own, which is put into these groups before it does anything, and returns
    /// when the load is there or, where it grows slowly, has begun.
    func begin(_ load: Load, as name: String, in groups: [ControlGroup]) async throws(KernelError)

    /// What the load does now; nil when there is none of this name.
    ///
    /// - Throws: `gone`, with how and when it ended, when its worker has ended.
    func state(of name: String) async throws(KernelError) -> LoadState?

    /// Waits until a load has ended by itself and says how; nil when it was ended by `end`, or is not known.
    func endedEarly(_ name: String) async -> String?

    /// Ends a load, waits until its worker is gone, and removes the files that it may have left.
    ///
    /// Ending what is not there is no error.
    func end(_ name: String, _ load: Load) async throws(KernelError)
}
