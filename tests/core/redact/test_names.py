"""Names of secrets, in the spellings that people use."""

from __future__ import annotations

import pytest

from densefog_core.redact import is_secret_key

SECRET = """adminPass dbpassword psk jwt DB_PASS rootpw MYSQL_PWD PGPASSWORD x-auth-token Set-Cookie clientSecret
AWS_SECRET_ACCESS_KEY sshPrivateKey kubeconfig passcode wpapsk adminPw userPassword1 connectionString encryptionKey otp
pin credentials auth api_key apikey APIKEY userdata user_data hmacKey passwd secrets accessToken refresh-token X-Api-Key
private.key bearer dbcreds passkey compassword Proxy-Authorization storageAccountKey sharedAccessKey""".split()

PUBLIC = """accessKey accessKeyId keyName compass bypassCache passed passenger nextToken keyPairIds tokenId tokenizer
publicKey monkey hasPassword maxTokens secretary author option footprint spinning mapping passwordLength shipping
upskill capsule clientToken passwordPolicy tokenExpires volumeIds""".split()


@pytest.mark.parametrize("name", SECRET)
def test_a_part_of_the_name_tells_of_a_secret(name: str) -> None:
    """The name is a secret's, however it is written."""
    assert is_secret_key(name)


@pytest.mark.parametrize("name", PUBLIC)
def test_names_that_only_look_so_are_public(name: str) -> None:
    """The name is in the list of what is allowed, or is about a secret."""
    assert not is_secret_key(name)
