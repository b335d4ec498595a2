import ChaosModel
extension HTTPMetric {
    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        throw request.parameters.error("not there yet")
    }
}
import ChaosModel
extension TCPMetric {
    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        throw request.parameters.error("not there yet")
    }
}
import ChaosModel
extension PrometheusMetric {
    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        throw request.parameters.error("not there yet")
    }
}
import ChaosModel
extension ProcessMetric {
    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        throw request.parameters.error("not there yet")
    }
}
import ChaosModel
extension CommandMetric {
    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        throw request.parameters.error("not there yet")
    }
}
