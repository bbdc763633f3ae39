//! Commands that plugins may be granted: `[command.NAME]`.
