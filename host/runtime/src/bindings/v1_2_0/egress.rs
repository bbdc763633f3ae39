//! The imports that 1.2.0 brought: mail, and requests that are signed.

use super::{
    convert::Convert,
    imports::Traps,
    wit::mainstay::plugin::{mail, signed_http},
};
use crate::call_state::{CallState, wrong_answer};
use mainstay_domain::effect::{Answer, Effect, HttpRequest, HttpSigning, MailMessage};

impl signed_http::Host for CallState {
    async fn send(
        &mut self,
        request: signed_http::Request,
        signing: signed_http::Signing,
    ) -> Traps<signed_http::Response> {
        let effect = Effect::HttpSend(HttpRequest {
            method: request.method.convert(),
            url: request.url,
            headers: request.headers,
            body: request.body.into(),
            timeout_ms: request.timeout,
            signing: Some(HttpSigning {
                secret: signing.secret,
                header: signing.header,
            }),
        });
        let name = effect.name();
        let answered = match self.effect(effect).await? {
            Ok(Answer::Response(response)) => Ok(signed_http::Response {
                status: response.status,
                headers: response.headers,
                body: response.body.0,
            }),
            Ok(_) => Err(wrong_answer(name)),
            Err(error) => Err(error),
        };
        Ok(answered.map_err(Convert::convert))
    }
}

impl mail::Host for CallState {
    async fn send(&mut self, message: mail::Message) -> Traps<()> {
        let effect = Effect::MailSend(MailMessage {
            account: message.account,
            to: message.to,
            subject: message.subject,
            text: message.text,
            thread: message.thread,
        });
        let name = effect.name();
        let answered = match self.effect(effect).await? {
            Ok(Answer::Done) => Ok(()),
            Ok(_) => Err(wrong_answer(name)),
            Err(error) => Err(error),
        };
        Ok(answered.map_err(Convert::convert))
    }
}
