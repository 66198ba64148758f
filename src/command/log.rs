//! What is told beside results, on the standard error stream: lines for people, or JSON for the logs of a cluster.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::cli::LogFormat;

/// Tells something: as text, or as one JSON object a line with `time` (seconds since 1970), `level`, `event` and `fields`.
pub(crate) fn tell(format: LogFormat, level: &str, event: &str, text: &str, fields: &Value) {
    match format {
        LogFormat::Text => eprintln!("{text}"),
        LogFormat::Json => eprintln!("{}", line(level, event, text, fields)),
    }
}

fn line(level: &str, event: &str, text: &str, fields: &Value) -> Value {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut all = Map::new();
    all.insert("time".to_owned(), json!(time));
    all.insert("level".to_owned(), json!(level));
    all.insert("event".to_owned(), json!(event));
    all.insert("message".to_owned(), json!(text));
    all.extend(fields.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}
