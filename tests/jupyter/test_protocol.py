"""Jupyter's own test of a kernel, on ours and on the stock kernel."""

from __future__ import annotations

from typing import Any

import jupyter_kernel_test as suite

from tests.jupyter.notebook import PATIENCE


class Samples:
    """What both kernels are asked: every test of the suite has something to do.

    But for a range of the history: IPython calls the running session 0, and the suite expects the
    number that the tail told.
    """

    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = [
        {"text": "zi", "matches": {"zip"}},
        {"text": "impo", "matches": {"import"}},
    ]
    complete_code_samples = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data = [
        {
            "code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))",
            "mime": "text/html",
        },
        {
            "code": "from IPython.display import Math, display; display(Math('\\\\frac{1}{2}'))",
            "mime": "text/latex",
        },
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"
    support_iopub_welcome = True

    kc: Any
    km: Any


class PatientTests(Samples, suite.KernelTests):
    """The suite's tests, without its waits of a tenth of a second: a busy machine takes longer."""

    __test__ = False

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.km.shutdown_wait_time = PATIENCE
        channel = cls.kc.iopub_channel
        get_message = channel.get_msg
        channel.get_msg = lambda **_timeout: get_message(timeout=PATIENCE)

    def flush_channels(self) -> None:
        """Read all that the kernel has said: until it has nothing more to say to a question."""
        question = self.kc.kernel_info()
        for get_message in (self.kc.get_shell_msg, self.kc.get_iopub_msg):
            is_last = False
            while not is_last:
                message = get_message(timeout=PATIENCE)
                is_last = message["parent_header"].get("msg_id") == question and (
                    message["msg_type"] == "kernel_info_reply"
                    or message["content"].get("execution_state") == "idle"
                )


class TestKernelInBlender(PatientTests):
    __test__ = True
    kernel_name = "blender"


class TestStockKernel(PatientTests):
    __test__ = True
    kernel_name = "stock"


class TestWelcomeInBlender(Samples, suite.IopubWelcomeTests):
    kernel_name = "blender"


class TestStockWelcome(Samples, suite.IopubWelcomeTests):
    kernel_name = "stock"
