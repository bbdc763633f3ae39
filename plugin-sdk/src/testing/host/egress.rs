//! What the scripted host answers to alerters of contract 1.2.0.

use super::ScriptedHost;
use crate::host::*;
use crate::testing::Effect;

impl ScriptedHost {
    /// Scripts the next mail through an account. What is not scripted is taken.
    pub fn on_mail(&mut self, account: &str, answer: Result<(), EffectError>) -> &mut Self {
        self.mails.add(account, answer);
        self
    }
}

impl SignedHttp for ScriptedHost {
    /// Answered by what is scripted for the URL with `on_http`.
    fn http_signed(&mut self, request: Request, signing: Signing) -> Result<Response, EffectError> {
        let url = request.url;
        self.perform(Effect::SignedHttp {
            method: request.method,
            url: url.clone(),
            headers: request.headers,
            body: String::from_utf8_lossy(&request.body).into_owned(),
            secret: signing.secret,
            header: signing.header,
        })?;
        self.responses.next(&url).unwrap_or_else(|| {
            Err(EffectError::Failed(format!(
                "no response from {url} is scripted"
            )))
        })
    }
}

impl Mail for ScriptedHost {
    fn send_mail(&mut self, message: MailMessage) -> Result<(), EffectError> {
        let account = message.account;
        self.perform(Effect::Mail {
            account: account.clone(),
            to: message.to,
            subject: message.subject,
            text: message.text,
            thread: message.thread,
        })?;
        self.mails.next(&account).unwrap_or(Ok(()))
    }
}
