// Which file system a disk fault is about, and which it must not touch.

import ChaosModel

/// The options and checks that the disk faults share.
struct DiskScope {
    static let path = Parameter(
        required: "path",
        ParameterKind<String>.string(example: "\"/srv/data\""),
        help: "A folder on the file system; symbolic links and bind mounts are resolved first."
    )
    static let allowRoot = Parameter(
        "allow_root",
        ParameterKind<Bool>.boolean,
        default: .boolean(false),
        help:
            "Whether the root file system, and the one that holds Moonquake's own state, may be hit."
    )

    let path: String
    let allowsRoot: Bool

    init(_ parameters: Parameters) throws(DefinitionError) {
        path = try parameters.value(Self.path)
        allowsRoot = try parameters.value(Self.allowRoot)
        guard path.hasPrefix("/") else {
            throw parameters.error("path must be absolute, got \"\(path.escapedForDisplay)\"")
        }
    }

    /// The file system, unless it is one that others cannot do without.
    func fileSystem(in context: PlanContext, on kernel: Kernel) throws(FaultError)
        -> FileSystemSpace
    {
        let (found, root) = try kernelCall { () throws(KernelError) in
            (try kernel.loads.space(at: path), try kernel.loads.space(at: "/"))
        }
        guard !allowsRoot else { return found }
        let shown = found.folder == path ? path : "\(path) (\(found.folder))"
        guard !found.isSame(as: root) else {
            throw .refused(
                "\(shown) is on the root file system, which the whole host needs: "
                    + "name one of its own, or say allow_root = true"
            )
        }
        if let state = try stateSpace(context, on: kernel), found.isSame(as: state) {
            throw .refused(
                "\(shown) is on the file system that holds Moonquake's own state (\(state.folder)): "
                    + "use another --state-dir, or say allow_root = true"
            )
        }
        return found
    }

    /// Refuses, before anything is done, a folder in which no file can be made.
    func requireWritable(_ space: FileSystemSpace) throws(FaultError) {
        guard let obstacle = space.obstacle else { return }
        throw .unavailable("a file is made in \(space.folder), but \(obstacle)")
    }

    /// The file system of the state directory, which may not be there yet.
    private func stateSpace(
        _ context: PlanContext,
        on kernel: Kernel
    ) throws(FaultError) -> FileSystemSpace? {
        var parts = (context.stateDirectory ?? "").split(separator: "/")
        while !parts.isEmpty {
            let folder = "/" + parts.joined(separator: "/")
            do throws(KernelError) {
                return try kernel.loads.space(at: folder)
            } catch {
                guard error.kind == .gone else { throw .kernel(error) }
                parts.removeLast()
            }
        }
        return nil
    }
}
