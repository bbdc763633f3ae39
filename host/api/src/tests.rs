//! The forms say what the domain says, and the document in `openapi/` says what the forms say.

mod additive;
mod forms;
mod openapi;
mod samples;
