//! What stands in the config that is shown for a plugin, where an operator has to write something of their own.

/// The least severity that an alerter is meant for; none where it is meant for all.
pub(super) fn least_of(alerter: &str) -> Option<&'static str> {
    match alerter {
        "email" | "pagerduty" => Some("high"),
        "slack" | "webhook" => Some("medium"),
        _ => None,
    }
}

/// A grant of what a plugin asks for.
pub(super) fn grant_of(plugin: &str, asked: &str) -> Option<&'static str> {
    match asked {
        "http" if ["account-equity", "engine-recovery", "market-data"].contains(&plugin) => {
            Some("http = [\"http://127.0.0.1:8080\"]")
        }
        "http" if plugin == "gateway-recovery" => Some("http = [\"http://127.0.0.1:8001\"]"),
        "http" if plugin == "pagerduty" => Some("http = [\"https://events.pagerduty.com\"]"),
        "http" if plugin == "slack" => Some("http = [\"https://hooks.slack.com\"]"),
        "http" => Some("http = [\"https://hooks.example\"]"),
        "mail" => Some("mail = [\"ops\"]"),
        "dir" if plugin == "log-file" => Some("dir = [{ path = \"alerts\", write = true }]"),
        "dir" if plugin == "model-rollback" => {
            Some("dir = [{ path = \"/srv/models\", write = true }]")
        }
        "dir" => Some("dir = [{ path = \"/var/log/app\", write = true }]"),
        "target" if plugin == "corruption-restore" => {
            Some("target = [\"status\", \"stop\", \"start\"]")
        }
        "target" if plugin == "memory-relief" => {
            Some("target = [\"check\", \"signal\", \"restart\"]")
        }
        "target" if plugin == "postgres-recovery" => {
            Some("target = [\"check\", \"restart\", \"start\", \"status\", \"stop\"]")
        }
        "target" if ["gateway-recovery", "redis-recovery"].contains(&plugin) => {
            Some("target = [\"check\", \"restart\"]")
        }
        "target" if ["network-failover", "storage-failover"].contains(&plugin) => {
            Some("target = [\"check\"]")
        }
        "target" => Some("target = [\"restart\"]"),
        "command" if plugin == "redis-recovery" => {
            Some("command = [\"read-rows\", \"write-rows\"]")
        }
        "command" if plugin == "storage-failover" => {
            Some("command = [\"storage-serving\", \"to-local\", \"to-store\"]")
        }
        "command" => Some("command = [\"my-command\"]"),
        "backup" => Some("backup = [\"my-job\"]"),
        _ => None,
    }
}

/// A value that a required setting may have.
pub(super) fn example_of(plugin: &str, setting: &str) -> &'static str {
    match setting {
        "url" if plugin == "slack" => "\"https://hooks.slack.com/services/T0/B0/${secret:slack}\"",
        "url" => "\"https://hooks.example/alerts\"",
        "account" => "\"ops\"",
        "to" => "[\"oncall@example.com\"]",
        "bytes" => "\"50GiB\"",
        "path" => "\"alerts/alerts.jsonl\"",
        "directory" => "\"/var/log/app\"",
        "older_than" => "\"7d\"",
        "api" => "\"http://127.0.0.1:8080\"",
        "command" => "\"my-command\"",
        "job" => "\"my-job\"",
        "registry" => "\"/srv/models\"",
        "routing_key" => "\"${secret:pagerduty}\"",
        "rows" => "\"read-rows\"",
        "serving" => "\"storage-serving\"",
        "to_local" => "\"to-local\"",
        "to_store" => "\"to-store\"",
        "write" => "\"write-rows\"",
        _ => "\"\"",
    }
}
