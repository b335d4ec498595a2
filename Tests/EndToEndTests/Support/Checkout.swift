// A real service that degrades when what it depends on does, and a real Prometheus that scrapes it.

import Glibc
import TestSupport

/// A checkout that asks a stock service twenty times a second, and who watches it.
struct Checkout {
    let stock: Program
    /// Its own /metrics page is `http://127.0.0.1:PORT/metrics`.
    let port: Int
    let server: String
    private(set) var prometheus: Program
    private let configuration: String
    private let box: Sandbox

    /// Starts all three, and waits until Prometheus has seen the checkout.
    init(in box: Sandbox, scrapedEvery interval: String = "1s") throws {
        self.box = box
        let first = try box.freePorts(3)
        let program = "\(Moonquake.tree)/Tests/Fixtures/checkout.py"
        stock = try box.start(["python3", program, "stock", "\(first)"])
        port = first + 1
        try box.start(["python3", program, "serve", "\(port)", "\(first)"])
        configuration = try box.write(
            "prometheus.yml",
            """
            global: { scrape_interval: \(interval), scrape_timeout: \(interval) }
            scrape_configs:
              - { job_name: checkout, static_configs: [ { targets: [ "127.0.0.1:\(port)" ] } ] }
            """
        )
        server = "http://127.0.0.1:\(first + 2)"
        prometheus = try Self.start(server, configuration, in: box)
        try awaitScrape()
    }

    private static func start(
        _ server: String,
        _ configuration: String,
        in box: Sandbox
    ) throws -> Program {
        try box.start([
            "prometheus", "--config.file=\(configuration)",
            "--storage.tsdb.path=\(box.folder)/tsdb-\(UInt32.random(in: .min ... .max))",
            "--web.listen-address=\(server.dropFirst("http://".count))", "--log.level=error",
        ])
    }

    /// Starts Prometheus again, without what it knew.
    mutating func restartPrometheus() throws {
        prometheus.end()
        prometheus = try Self.start(server, configuration, in: box)
        try awaitScrape()
    }

    private func awaitScrape() throws {
        let query = "\(server)/api/v1/query?query=checkout_stock_seconds"
        let isSeen = eventually(within: .seconds(30)) {
            usleep(100_000)
            return (try? box.tool("curl", "-s", "-m", "2", query).contains("\"value\"")) == true
        }
        guard isSeen else {
            throw SetUpError("Prometheus has not scraped: \(prometheus.errors)")
        }
    }
}
