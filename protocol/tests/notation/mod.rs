//! CBOR in words: the diagnostic notation of RFC 8949, section 8.

use ciborium::Value;

/// One item.
pub(crate) fn diagnostic(value: &Value) -> String {
    match value {
        Value::Integer(n) => i128::from(*n).to_string(),
        Value::Bytes(bytes) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            format!("h'{hex}'")
        }
        Value::Text(text) => format!("{text:?}"),
        Value::Bool(b) => b.to_string(),
        Value::Null => "null".to_owned(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(diagnostic).collect::<Vec<_>>().join(", "))
        }
        Value::Map(fields) => {
            let field = |(k, v): &(Value, Value)| format!("{}: {}", diagnostic(k), diagnostic(v));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => panic!("not in this protocol: {other:?}"),
    }
}
