"""What a body of status 200 says about whether a request was taken, service by service."""

import pytest

from alertd.notify.http_answer import doubt


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<h1>Sign in</h1>", id="a fragment of a page"),
        pytest.param("<center>502</center>", id="nginx without a frame"),
        pytest.param('<iframe src="/login"></iframe>', id="a frame"),
        pytest.param('<p class="x">blocked</p>', id="a paragraph"),
        pytest.param('{"errcode":310000,"errmsg":"keywords not in content"}', id="DingTalk and WeCom"),
        pytest.param('{"code":19001,"data":{},"msg":"param invalid"}', id="Feishu"),
        pytest.param('{"errorMessage":"boom","errorType":"KeyError"}', id="AWS Lambda"),
        pytest.param('{"Success":false,"Errors":["x"]}', id="keys in capitals"),
        pytest.param('{"OK":"No"}', id="a word for no"),
        pytest.param('{"result":"Failed"}', id="another key for it"),
        pytest.param('{"status":"KO"}', id="another word for it"),
        pytest.param('{"error_code":"12"}', id="a number as text"),
    ],
)
def test_answer_of_200_when_its_body_says_no_then_it_is_no_proof(body: str) -> None:
    """Each of them was counted as delivered, and nobody was notified."""
    assert doubt(200, body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("ok", id="a word"),
        pytest.param("<taken/>", id="XML"),
        pytest.param("<progress>", id="XML whose name begins like a page's"),
        pytest.param("Congratulations! You've fired the alert event", id="IFTTT"),
        pytest.param('{"errcode":0,"errmsg":"ok"}', id="DingTalk and WeCom"),
        pytest.param('{"code":0,"msg":"success","StatusCode":0,"StatusMessage":"success"}', id="Feishu"),
        pytest.param('{"code":20000,"message":"queued"}', id="successes counted from 20000"),
        pytest.param('{"code":1000,"msg":"success"}', id="successes counted from 1000"),
        pytest.param('{"errorCode":null,"errors":[],"errorMessage":""}', id="no error"),
        pytest.param('{"status":"accepted","id":401}', id="a number that is no status"),
    ],
)
def test_answer_of_200_when_its_body_speaks_against_nothing_then_it_is_delivered(body: str) -> None:
    """A doubt where there is none would send the message again."""
    assert not doubt(200, body)
