// `metric.tcp`: connects and closes, for everything that does not speak HTTP.

import ChaosModel

/// The kind `tcp`.
enum TCPMetric: MetricKind {
    static let descriptor = MetricDescriptor(
        name: "tcp",
        summary: "Connections of our own to an address: error rate, rate and time to connect.",
        parameters: [Options.address.erased] + ProbeOptions.common,
        measures: ProbeOptions.measures
    )

    enum Options {
        static let address = Parameter(
            required: "address",
            ParameterKind<Endpoint>.endpoint,
            help: "The address or host name to connect to, with its port."
        )
    }

    static func check(_ parameters: Parameters) throws(DefinitionError) {
        let endpoint = try parameters.value(Options.address)
        guard endpoint.port != nil else {
            throw parameters.error("address needs a port: write \"\(endpoint):5432\"")
        }
        if case .address(let address) = endpoint.host, !address.isSingle {
            throw parameters.error("address must be one address, got the network \(endpoint)")
        }
    }

    static func lag(_ parameters: Parameters) throws(DefinitionError) -> Duration {
        try ProbeOptions.lag(parameters)
    }

    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        let endpoint = try request.parameters.value(Options.address)
        let host =
            switch endpoint.host {
            case .address(let address): address.addressText
            case .name(let name): name
            }
        let address = ProbeAddress(host: host, port: endpoint.port ?? 0)
        return ProbeSource(try ProbePlan(request) { TCPTransport(to: address, on: $0) })
    }
}
