// `disk.io`: a worker reads and writes at a rate, or the target's control group may do no more than a rate, or both.
//
// The first is held by the kernel, which ends the worker with the agent; a limit is a value of a file of the group,
// so its former value is in the journal.

package import ChaosModel

/// Reads and writes, or limits how fast others may.
package struct DiskIO: Fault {
    /// The worker, and the limits to put back.
    package struct Undo: Codable, Sendable {
        var load: LoadUndo?
        var throttles: [IOThrottle]
    }

    static let read = Parameter(
        "read",
        ParameterKind<Double>.byteRate,
        help: "How much the worker reads a second."
    )
    static let write = Parameter(
        "write",
        ParameterKind<Double>.byteRate,
        help: "How much the worker writes a second."
    )
    static let block = Parameter(
        "block",
        ParameterKind<Int>.size(),
        default: "64KiB",
        help: "How much it reads or writes at once: a multiple of 4KiB up to 16MiB."
    )
    static let direct = Parameter(
        "direct",
        ParameterKind<Bool>.boolean,
        default: .boolean(true),
        help: "Whether it passes by the page cache; not every file system can."
    )
    static let fileSize = Parameter(
        "file_size",
        ParameterKind<Int>.size(),
        default: "64MiB",
        help: "How large the file without a name is that it reads, and the one that it writes."
    )
    static let limitRead = Parameter(
        "limit_read",
        ParameterKind<Double>.byteRate,
        help: "The most that the target's control group may read a second from the disk."
    )
    static let limitWrite = Parameter(
        "limit_write",
        ParameterKind<Double>.byteRate,
        help: "The most that the target's control group may write a second to the disk."
    )

    package static let descriptor = FaultDescriptor(
        name: "disk.io",
        summary: "Reads and writes on a file system, or limits how fast a process may.",
        parameters: [
            DiskScope.path.erased, read.erased, write.erased, block.erased, direct.erased,
            fileSize.erased, limitRead.erased, limitWrite.erased, DiskScope.allowRoot.erased,
        ],
        targets: [.host, .process],
        reach: .leader,
        holder: .kernel,
        needs: [
            "the right to write in the folder",
            "for a limit, control groups with the io controller (v1 blkio)",
        ],
        changesGroup: .io
    )

    private let scope: DiskScope
    private let rates: (read: Double, write: Double)
    private let limits: (read: Double?, write: Double?)
    private let block: Int
    private let isDirect: Bool
    private let fileSize: Int

    package init(_ parameters: Parameters) throws(DefinitionError) {
        scope = try DiskScope(parameters)
        rates = (parameters[Self.read] ?? 0, parameters[Self.write] ?? 0)
        limits = (parameters[Self.limitRead], parameters[Self.limitWrite])
        block = try parameters.value(Self.block)
        isDirect = try parameters.value(Self.direct)
        fileSize = try parameters.value(Self.fileSize)
        guard block > 0, block % 4096 == 0, block <= 16 << 20 else {
            throw parameters.error("block must be a multiple of 4KiB up to 16MiB, got \(block)B")
        }
        guard fileSize >= block else {
            throw parameters.error(
                "file_size must be at least the block (\(block)B), got \(fileSize)B"
            )
        }
        guard rates.read + rates.write > 0 || limits.read != nil || limits.write != nil else {
            throw parameters.error("give at least one of read, write, limit_read and limit_write")
        }
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError) -> FaultPlan<Undo>
    {
        let space = try scope.fileSystem(in: context, on: kernel)
        var changes: [String] = []
        var undo = Undo(load: nil, throttles: [])
        if rates.read + rates.write > 0 {
            undo.load = try load(on: space, target, context, kernel)
            let verbs = [("reads", rates.read), ("writes", rates.write)].filter { $0.1 > 0 }
            let what = verbs.map { "\($0.0) \(Int($0.1).asBytes)/s" }.joined(separator: " and ")
            changes.append("\(what) at \(space.folder) in files without a name, by a worker")
        }
        if limits.read != nil || limits.write != nil {
            undo.throttles = try IOThrottle.all(
                read: limits.read,
                write: limits.write,
                of: target,
                on: space,
                kernel
            )
            changes += undo.throttles.map(\.change)
        }
        return FaultPlan(
            changes: changes,
            undo: undo,
            holder: undo.throttles.isEmpty ? .kernel : .journal
        )
    }

    private func load(
        on space: FileSystemSpace,
        _ target: Target,
        _ context: PlanContext,
        _ kernel: Kernel
    ) throws(FaultError) -> LoadUndo {
        try scope.requireWritable(space)
        let files = [rates.read, rates.write].filter { $0 > 0 }.count
        guard files * fileSize <= space.available else {
            throw .refused(
                "\(space.folder) has \(space.available.asBytes) available: file_size must be less, got "
                    + fileSize.asBytes
            )
        }
        var parents: [ControlGroup] = []
        if case .process = target { parents = try LoadScope(of: target, [.io], on: kernel).parents }
        let load = TransferLoad(
            folder: space.folder,
            device: space.device,
            readRate: rates.read,
            writeRate: rates.write,
            blockSize: block,
            isDirect: isDirect,
            fileSize: fileSize
        )
        return LoadUndo(
            name: ControlGroup.ownPrefix + context.lease.text,
            load: .transfer(load),
            parents: parents
        )
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        for throttle in undo.throttles { try throttle.set(on: kernel) }
        try await undo.load?.begin(on: kernel)
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        for throttle in undo.throttles { try throttle.requireSet(on: kernel) }
        let limit = undo.throttles.map(\.seen)
        guard let load = undo.load else { return Effect(limit.joined(separator: ", ")) }
        var effect = try await load.verified(on: kernel)
        effect.seen = ([effect.seen] + limit).joined(separator: ", ")
        return effect
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        (undo.load?.touches ?? [])
            + undo.throttles.map { .setting(group: $0.group, file: $0.file, asked: $0.value) }
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        for throttle in undo.throttles { try throttle.requireSet(on: kernel) }
        guard let load = undo.load else {
            return Effect(undo.throttles.map { "\($0.seen) until the end" }.joined(separator: ", "))
        }
        return try await load.effect(on: kernel)
    }

    package static func endedEarly(_ undo: Undo, on kernel: Kernel) async -> String? {
        guard let load = undo.load else { return nil }
        return await kernel.loads.endedEarly(load.name)
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try await undo.load?.end(on: kernel)
        for throttle in undo.throttles { try throttle.restore(on: kernel) }
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        var seen: [String] = []
        if let load = undo.load { seen.append(try await load.verifiedEnd(on: kernel).seen) }
        for throttle in undo.throttles { seen.append(try throttle.requireRestored(on: kernel)) }
        return Effect(seen.joined(separator: ", "))
    }
}
