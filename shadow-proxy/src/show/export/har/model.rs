//! The parts of HAR 1.2 that `diffs export` writes and `replay` reads. Exporters leave members out, write null, or write
//! another type: such a member is read as absent, so that one of them does not cost the whole file.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entry {
    #[serde(deserialize_with = "lenient")]
    pub(crate) started_date_time: String,
    /// Milliseconds.
    #[serde(deserialize_with = "lenient")]
    pub(crate) time: f64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) request: Option<Request>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) response: Option<Response>,
    #[serde(skip_deserializing)]
    pub(crate) cache: Cache,
    #[serde(skip_deserializing)]
    pub(crate) timings: Timings,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<String>,
    #[serde(skip_deserializing)]
    pub(crate) comment: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Request {
    #[serde(deserialize_with = "lenient")]
    pub(crate) method: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) url: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) http_version: String,
    #[serde(deserialize_with = "list")]
    pub(crate) cookies: Vec<Named>,
    #[serde(deserialize_with = "list")]
    pub(crate) headers: Vec<Named>,
    #[serde(skip_deserializing)]
    pub(crate) query_string: Vec<Named>,
    #[serde(skip_deserializing)]
    pub(crate) headers_size: Size,
    #[serde(deserialize_with = "lenient")]
    pub(crate) body_size: Size,
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub(crate) post_data: Option<PostData>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PostData {
    #[serde(deserialize_with = "lenient")]
    pub(crate) mime_type: String,
    #[serde(deserialize_with = "list")]
    pub(crate) params: Vec<Param>,
    #[serde(deserialize_with = "text")]
    pub(crate) text: Option<String>,
    /// `base64`, which some exporters write here as they do in [`Content`].
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Param {
    #[serde(deserialize_with = "lenient")]
    pub(crate) name: String,
    #[serde(deserialize_with = "text")]
    pub(crate) value: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) file_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) content_type: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Response {
    /// 0, −1 and the like where no answer came.
    #[serde(deserialize_with = "lenient")]
    pub(crate) status: Size,
    #[serde(skip_deserializing)]
    pub(crate) status_text: String,
    #[serde(skip_deserializing)]
    pub(crate) http_version: String,
    #[serde(deserialize_with = "list")]
    pub(crate) cookies: Vec<Named>,
    #[serde(deserialize_with = "list")]
    pub(crate) headers: Vec<Named>,
    #[serde(deserialize_with = "lenient")]
    pub(crate) content: Content,
    #[serde(rename = "redirectURL", skip_deserializing)]
    pub(crate) redirect_url: String,
    #[serde(skip_deserializing)]
    pub(crate) headers_size: Size,
    #[serde(deserialize_with = "lenient")]
    pub(crate) body_size: Size,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Content {
    #[serde(deserialize_with = "lenient")]
    pub(crate) size: Size,
    #[serde(skip_deserializing)]
    pub(crate) mime_type: String,
    /// Absent where the body was not recorded.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<String>,
}

/// A header, a cookie or a parameter of a query.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    #[serde(deserialize_with = "lenient")]
    pub(crate) name: String,
    #[serde(deserialize_with = "text")]
    pub(crate) value: Option<String>,
}

#[derive(Default, Serialize)]
pub(crate) struct Cache {}

/// −1 where a time is unknown.
#[derive(Serialize)]
pub(crate) struct Timings {
    send: i8,
    wait: i8,
    receive: i8,
}

impl Default for Timings {
    fn default() -> Timings {
        Timings { send: -1, wait: 0, receive: -1 }
    }
}

/// A number of bytes, or a status; −1 where it is unknown.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub(crate) struct Size(pub(crate) i64);

impl Default for Size {
    fn default() -> Size {
        Size(-1)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64().or(number.as_f64().map(|number| number as i64)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        Ok(Size(number.unwrap_or(-1)))
    }
}

fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).unwrap_or_default())
}

fn list<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let Value::Array(items) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(items.into_iter().map(|item| serde_json::from_value(item).unwrap_or_default()).collect())
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}
