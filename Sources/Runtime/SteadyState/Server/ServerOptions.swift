// How a server that we ask for figures is reached: time-out, headers, credentials and TLS. Prometheus and a /metrics
// page have these in common.

import ChaosModel
import FoundationEssentials
import NIOHTTP1
import NIOSSL

/// The options of the metrics that ask a server.
enum ServerOptions {
    static let timeout = Parameter(
        "timeout",
        ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(60)),
        default: "5s",
        help: "How long an answer may take; later is no data."
    )
    static let headers = Parameter(
        "headers",
        ParameterKind<[String: String]>.stringTable,
        help: "Headers of the request, such as the tenant's."
    )
    static let username = Parameter(
        "username",
        ParameterKind<String>.string(example: "\"moonquake\""),
        help: "The user of basic authentication."
    )
    static let password = Parameter(
        "password",
        ParameterKind<String>.string(example: "\"…\""),
        help: "The password of basic authentication."
    )
    static let bearerToken = Parameter(
        "bearer_token",
        ParameterKind<String>.string(example: "\"…\""),
        help: "The token of bearer authentication."
    )
    static let caFile = Parameter(
        "ca_file",
        ParameterKind<String>.string(example: "\"/etc/moonquake/ca.pem\""),
        help: "Certificates (PEM) of those who may vouch for the server, instead of the system's."
    )
    static let certFile = Parameter(
        "cert_file",
        ParameterKind<String>.string(example: "\"/etc/moonquake/client.pem\""),
        help: "Our certificate (PEM), for servers that ask for one."
    )
    static let keyFile = Parameter(
        "key_file",
        ParameterKind<String>.string(example: "\"/etc/moonquake/client.key\""),
        help: "The private key (PEM) of `cert_file`."
    )

    static let common = [
        timeout.erased, headers.erased, username.erased, password.erased, bearerToken.erased,
        caFile.erased, certFile.erased, keyFile.erased,
    ]

    /// Checks what concerns several of them.
    static func check(_ parameters: Parameters, of url: URL) throws(DefinitionError) {
        if let problem = HeaderSyntax.check(parameters[headers] ?? [:]) {
            throw parameters.error(problem)
        }
        let given = ["username", "password", "bearer_token"].filter(parameters.given.contains)
        guard given.isEmpty || given == ["username", "password"] || given == ["bearer_token"] else {
            throw parameters.error(
                "credentials are username and password, or bearer_token; got only "
                    + given.joined(separator: " and ")
            )
        }
        let pair = ["cert_file", "key_file"].filter(parameters.given.contains)
        guard pair.count != 1 else {
            throw parameters.error("cert_file and key_file belong together; got only \(pair[0])")
        }
        let files = ["ca_file", "cert_file", "key_file"].filter(parameters.given.contains)
        guard files.isEmpty || url.scheme?.lowercased() == "https" else {
            throw parameters.error("\(files[0]) needs an https URL, got \"\(url)\"")
        }
    }

    /// The headers of every request.
    static func headers(_ parameters: Parameters) -> HTTPHeaders {
        var made = HTTPHeaders((parameters[headers] ?? [:]).sorted { $0.key < $1.key })
        if !made.contains(name: "User-Agent") { made.add(name: "User-Agent", value: "moonquake") }
        if let token = parameters[bearerToken] {
            made.replaceOrAdd(name: "Authorization", value: "Bearer \(token)")
        }
        if let user = parameters[username], let secret = parameters[password] {
            let pair = Data("\(user):\(secret)".utf8).base64EncodedString()
            made.replaceOrAdd(name: "Authorization", value: "Basic \(pair)")
        }
        return made
    }

    /// What TLS is made with; the files are read now, so that a wrong one is told before the run.
    static func tls(_ parameters: Parameters) throws(DefinitionError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let path = parameters[caFile] {
            tls.trustRoots = .certificates(try certificates(path, caFile.name, parameters))
        }
        if let certificate = parameters[certFile], let key = parameters[keyFile] {
            tls.certificateChain = try certificates(certificate, certFile.name, parameters)
                .map { .certificate($0) }
            do {
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            } catch {
                throw unreadable(keyFile.name, key, "no private key in PEM", parameters)
            }
        }
        return tls
    }

    private static func certificates(
        _ path: String,
        _ option: String,
        _ parameters: Parameters
    ) throws(DefinitionError) -> [NIOSSLCertificate] {
        let found = try? NIOSSLCertificate.fromPEMFile(path)
        guard let found, !found.isEmpty else {
            throw unreadable(option, path, "no certificate in PEM", parameters)
        }
        return found
    }

    private static func unreadable(
        _ option: String,
        _ path: String,
        _ what: String,
        _ parameters: Parameters
    ) -> DefinitionError {
        parameters.error("\(option): \(what) can be read from \"\(path.escapedForDisplay)\"")
    }
}
