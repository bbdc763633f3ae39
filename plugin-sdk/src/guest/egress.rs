//! The imports that contract 1.2.0 brought.

use super::{GuestHost, imports};
use crate::host::*;

impl SignedHttp for GuestHost {
    fn http_signed(&mut self, request: Request, signing: Signing) -> Result<Response, EffectError> {
        imports::signed_http::send(&request, &signing)
    }
}

impl Mail for GuestHost {
    fn send_mail(&mut self, message: MailMessage) -> Result<(), EffectError> {
        imports::mail::send(&message)
    }
}
