"""Logs Explorer."""

from grafana_foundation_sdk.builders import dashboard

from compose.grafana.panels import log_lines, log_rate, new_dashboard


def logs_explorer() -> dashboard.Dashboard:
    """Logs Explorer: what the processes say."""
    # JSON of the platform, or the word that servers write in capitals
    warnings = r'|~ `"level": ?"(warning|error|critical)"|\b(WARN|WARNING|ERROR|FATAL|CRITICAL)\b`'
    errors = r'|~ `"level": ?"(error|critical)"|\b(ERROR|FATAL|CRITICAL)\b`'
    everything = '{service_name=~"$service"} |~ `(?i)$search`'
    return (
        new_dashboard("Logs Explorer", "alpr-logs", "Logs of all containers, with the errors above them.")
        .with_variable(dashboard.TextBoxVariable("service").label("Service (pattern)").default_value(".+"))
        .with_variable(dashboard.TextBoxVariable("search").label("Text").default_value(""))
        .with_panel(
            log_rate(
                "Lines by service",
                'sum by (service_name) (rate({service_name=~"$service"} [1m]))',
                "{{service_name}}",
                "Volume: a service that falls silent or shouts.",
            )
        )
        .with_panel(
            log_rate(
                "Warnings and errors",
                f'sum by (service_name) (rate({{service_name=~"$service"}} {warnings} [1m]))',
                "{{service_name}}",
                "Lines at warning and above.",
            )
        )
        .with_panel(log_lines("Errors", f"{everything} {errors}", "Errors, newest first.", height=10))
        .with_panel(log_lines("All lines", everything, "Everything that matches the text above."))
    )
