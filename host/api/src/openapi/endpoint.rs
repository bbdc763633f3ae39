//! One method of one path, as OpenAPI says it.

use serde_json::{Value, json};

/// One method of one path.
pub(super) struct Endpoint {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// Its name for programs that are generated from the document.
    id: &'static str,
    /// What it does, one sentence.
    summary: &'static str,
    query: Vec<Value>,
    body: Option<Value>,
    answer: Answer,
}

/// What is answered where it was done.
pub(super) enum Answer {
    /// One JSON value of this schema.
    Json(Value),
    /// The command was taken, and what follows from it comes as events; one JSON value of this schema.
    Accepted(Value),
    /// Lines that each are of this schema.
    Lines(Value),
    /// Text for Prometheus.
    Metrics,
    /// Nothing.
    Nothing,
}

impl Endpoint {
    pub(super) fn get(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        answer: Answer,
    ) -> Self {
        Self {
            method: "get",
            path,
            id,
            summary,
            query: Vec::new(),
            body: None,
            answer,
        }
    }

    pub(super) fn post(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        answer: Answer,
    ) -> Self {
        Self {
            method: "post",
            ..Self::get(path, id, summary, answer)
        }
    }

    pub(super) fn with_query(mut self, query: Vec<Value>) -> Self {
        self.query = query;
        self
    }

    /// It may be about one revision of what it names.
    pub(super) fn with_revision(mut self) -> Self {
        self.query.push(json!({
            "name": "If-Match",
            "in": "header",
            "required": false,
            "description": "The revision of the operation that was looked at, in quotes, as its `ETag` says: refused with 409 where it has moved on.",
            "schema": { "type": "string" },
        }));
        self
    }

    pub(super) fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// As it stands in the document.
    pub(super) fn json(self) -> Value {
        let mut parameters: Vec<Value> = placeholders(self.path).map(in_path).collect();
        parameters.extend(self.query);
        let (status, answer) = self.answer.json();
        let mut endpoint = json!({
            "operationId": self.id,
            "summary": self.summary,
            "parameters": parameters,
            "responses": {
                status: answer,
                "default": { "$ref": "#/components/responses/Error" },
            },
        });
        if let (Some(fields), Some(schema)) = (endpoint.as_object_mut(), self.body) {
            let body = json!({
                "required": true,
                "content": { "application/json": { "schema": schema } },
            });
            fields.insert("requestBody".to_owned(), body);
        }
        endpoint
    }
}

impl Answer {
    /// The status, and what comes with it.
    fn json(self) -> (&'static str, Value) {
        let with = |description: &str, media: &str, schema: Value| {
            json!({
                "description": description,
                "content": { media: { "schema": schema } },
            })
        };
        match self {
            Self::Json(schema) => ("200", with("Done.", "application/json", schema)),
            Self::Accepted(schema) => {
                let description = "Taken; what follows from it comes as events.";
                ("202", with(description, "application/json", schema))
            }
            Self::Lines(schema) => {
                let description = "Lines of JSON, each of this form.";
                ("200", with(description, "application/x-ndjson", schema))
            }
            Self::Metrics => {
                let text = json!({ "type": "string" });
                ("200", with("Prometheus text.", "text/plain", text))
            }
            Self::Nothing => ("204", json!({ "description": "Done." })),
        }
    }
}

/// The names in braces.
fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    let parts = path.split('/');
    parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn in_path(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}
