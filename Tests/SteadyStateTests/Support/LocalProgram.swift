// Servers of this machine, started for one test and killed at its end, also when it fails.

import FoundationEssentials
import Subprocess
import SystemPackage
import TestSupport

/// Runs a program while a test lasts.
func withProgram<Result: Sendable>(
    _ path: String,
    _ arguments: [String],
    _ body: @Sendable (Int32) async throws -> Result
) async throws -> Result {
    var options = PlatformOptions()
    options.createSession = true
    let killing = TeardownStep.send(
        signal: .kill,
        toProcessGroup: true,
        allowedDurationToNextStep: .milliseconds(200)
    )
    options.teardownSequence = [killing]
    let outcome = try await Subprocess.run(
        .path(FilePath(path)),
        arguments: Arguments(arguments),
        platformOptions: options,
        input: .none,
        output: .discarded,
        error: .discarded
    ) { execution in
        let result = try await body(execution.processIdentifier.value)
        await execution.teardown(using: [killing])
        return result
    }
    return outcome.closureResult
}

/// Runs nginx on a free port of loopback, with an empty page at `/` and whatever else is configured.
func withNginx<Result: Sendable>(
    locations: String = "",
    _ body: @Sendable (Int, Int32) async throws -> Result
) async throws -> Result {
    try await withFolder { folder in
        let port = try ScriptedServer.freePort()
        let configuration = """
            daemon off; master_process off; pid \(folder)/pid; error_log stderr crit;
            events { worker_connections 512; }
            http {
                access_log off; client_body_temp_path \(folder)/b; proxy_temp_path \(folder)/p;
                fastcgi_temp_path \(folder)/f; uwsgi_temp_path \(folder)/u;
                scgi_temp_path \(folder)/s;
                server { listen 127.0.0.1:\(port); location / { return 200 "ok"; } \(locations) }
            }
            """
        try Data(configuration.utf8).write(to: URL(filePath: folder + "/nginx.conf"))
        let arguments = ["-p", folder, "-e", "stderr", "-c", folder + "/nginx.conf"]
        return try await withProgram("/usr/sbin/nginx", arguments) { pid in
            try await body(port, pid)
        }
    }
}
