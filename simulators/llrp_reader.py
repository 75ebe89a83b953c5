"""An RFID reader that speaks LLRP (GS1's Low Level Reader Protocol 1.0.1), for whoever drives it. https://ref.gs1.org/standards/llrp/

It does what a client of its needs: one connection, capabilities, one ROSpec from its addition to its deletion, keepalives, and
reports of the tags that pass while the ROSpec is active. Memory is not written, and no vendor's extension is spoken. Messages
are encoded by llrpkit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

import structlog
from llrpkit.constants import MESSAGE_HEADER_LEN
from llrpkit.exceptions import LLRPError
from llrpkit.protocol import LLRPMessage, decode_message, enums, messages, params

from broker.times import SECOND
from simulators.gates import Seen
from simulators.memory import of_uri

log = structlog.get_logger()

ANTENNAS = 4
MODEL = 1
_TICK_S = 0.1
_LONGEST = 1 << 20  # bytes of a message: a ROSpec has some hundreds
_POWERS = range(1000, 3001, 100)
"""Hundredths of a dBm."""
_SUCCESS = params.LLRPStatus(status_code=enums.StatusCode.M_Success)

Passing: TypeAlias = Callable[[int, int], Iterable[Seen]]
"""What passes from one time (ns) to another."""


class LlrpReader:
    """One reader at `host:port`; `passing` says what it sees, `simulated` turns real time (ns) into the city's."""

    def __init__(self, host: str, port: int, passing: Passing, simulated: Callable[[int], int]) -> None:
        self._host, self._port = host, port
        self._passing, self._simulated = passing, simulated
        self._taken = False

    async def run(self) -> None:
        """Until it is cancelled. Raises OSError if it can't listen."""
        server = await asyncio.start_server(self._serve, self._host, self._port)
        log.info("reader_listening", host=self._host, port=self._port)
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status = enums.ConnectionAttemptStatusType
        try:
            if self._taken:
                _send(writer, _attempt(status.Failed_A_Client_Initiated_Connection_Already_Exists))
                return
            self._taken = True
            try:
                _send(writer, _attempt(status.Success))
                await _Session(writer, self._passing, self._simulated).run(reader)
            finally:
                self._taken = False
        except* (asyncio.IncompleteReadError, ConnectionError, LLRPError) as errors:
            log.info("reader_connection_ended", host=self._host, port=self._port, reason=str(errors.exceptions[0]))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


class _Session:
    """What one client has told the reader to do."""

    def __init__(self, writer: asyncio.StreamWriter, passing: Passing, simulated: Callable[[int], int]) -> None:
        self._writer, self._passing, self._simulated = writer, passing, simulated
        self._spec: params.ROSpec | None = None
        self._state = "Disabled"
        self._position_ns = 0
        """Up to which time what passed was reported."""
        self._keepalive_s = 0.0
        self._reports = 0

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Until the client goes. Raises what reading and decoding do."""
        async with asyncio.TaskGroup() as group:
            telling = [
                group.create_task(self._report(), name="reports"),
                group.create_task(self._live(), name="keepalives"),
            ]
            try:
                while (message := await _message(reader)) is not None and not self._writer.is_closing():
                    answer = self._answer(message)
                    if answer is not None:
                        _send(self._writer, answer, message.message_id)
                        await self._writer.drain()
                    if isinstance(message, messages.CLOSE_CONNECTION):
                        return
            finally:
                for task in telling:
                    task.cancel()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            if self._state != "Active":
                continue
            begin, self._position_ns = self._position_ns, self._simulated(time.time_ns())
            for seen in self._passing(begin, self._position_ns):
                if seen.payload["antenna"] in self._antennas():
                    self._reports += 1
                    _send(self._writer, report(seen), self._reports)
            await self._writer.drain()

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(self._keepalive_s or _TICK_S)
            if self._keepalive_s:
                _send(self._writer, messages.KEEPALIVE())

    def _antennas(self) -> set[int]:
        specs = self._spec.spec_parameters if self._spec else ()
        wanted = {antenna for spec in specs if isinstance(spec, params.AISpec) for antenna in spec.antenna_ids}
        return set(range(1, ANTENNAS + 1)) if 0 in wanted or not wanted else wanted

    def _answer(self, message: LLRPMessage) -> LLRPMessage | None:
        match message:
            case messages.KEEPALIVE_ACK() | messages.ENABLE_EVENTS_AND_REPORTS():
                return None
            case messages.GET_READER_CAPABILITIES():
                return _capabilities()
            case messages.GET_READER_CONFIG():
                return messages.GET_READER_CONFIG_RESPONSE(llrp_status=_SUCCESS)
            case messages.SET_READER_CONFIG():
                if message.keepalive_spec is not None:
                    self._keepalive_s = message.keepalive_spec.periodic_trigger_value / 1000
                return messages.SET_READER_CONFIG_RESPONSE(llrp_status=_SUCCESS)
            case messages.CLOSE_CONNECTION():
                return messages.CLOSE_CONNECTION_RESPONSE(llrp_status=_SUCCESS)
        return self._of_spec(message)

    def _of_spec(self, message: LLRPMessage) -> LLRPMessage:
        """The life of a ROSpec: disabled, enabled, active, and back (LLRP 1.0.1, figure 6)."""
        match message:
            case messages.ADD_ROSPEC():
                return messages.ADD_ROSPEC_RESPONSE(llrp_status=self._add(message.ro_spec))
            case messages.ENABLE_ROSPEC():
                return messages.ENABLE_ROSPEC_RESPONSE(llrp_status=self._turn(message, "Disabled", "Enabled"))
            case messages.START_ROSPEC():
                self._position_ns = self._simulated(time.time_ns())
                return messages.START_ROSPEC_RESPONSE(llrp_status=self._turn(message, "Enabled", "Active"))
            case messages.STOP_ROSPEC():
                return messages.STOP_ROSPEC_RESPONSE(llrp_status=self._turn(message, "Active", "Enabled"))
            case messages.DISABLE_ROSPEC():
                return messages.DISABLE_ROSPEC_RESPONSE(llrp_status=self._turn(message, self._state, "Disabled"))
            case messages.DELETE_ROSPEC():
                status = self._turn(message, self._state, "Disabled")
                self._spec = None
                return messages.DELETE_ROSPEC_RESPONSE(llrp_status=status)
        why = f"{type(message).__name__} is not spoken here"
        return messages.ERROR_MESSAGE(llrp_status=_failed(enums.StatusCode.M_UnsupportedMessage, why))

    def _add(self, spec: params.ROSpec) -> params.LLRPStatus:
        if self._spec is not None:
            return _failed(enums.StatusCode.M_DuplicateParameter, "this reader takes one ROSpec, and has one")
        self._spec, self._state = spec, "Disabled"
        return _SUCCESS

    def _turn(self, message: LLRPMessage, from_: str, to: str) -> params.LLRPStatus:
        wanted = getattr(message, "ro_spec_id", None)
        if self._spec is None or wanted not in (0, self._spec.ro_spec_id):
            return _failed(enums.StatusCode.M_ParameterError, f"there is no ROSpec {wanted}")
        if self._state != from_:
            return _failed(enums.StatusCode.M_ParameterError, f"the ROSpec is {self._state}, not {from_}")
        self._state = to
        return _SUCCESS


def report(seen: Seen) -> LLRPMessage:
    """One tag read, with the time of the reader's own clock."""
    microseconds = seen.time_ns // 1_000
    tag = params.TagReportData(
        epc_parameter=params.EPC_96(epc=of_uri(str(seen.payload["epc"]))),
        antenna_id=params.AntennaID(antenna_id=int(seen.payload["antenna"])),
        peak_rssi=params.PeakRSSI(peak_rssi=int(seen.payload["rssi"])),
        first_seen_timestamp_utc=params.FirstSeenTimestampUTC(microseconds=microseconds),
        last_seen_timestamp_utc=params.LastSeenTimestampUTC(microseconds=microseconds),
        tag_seen_count=params.TagSeenCount(tag_count=1),
    )
    return messages.RO_ACCESS_REPORT(tag_report_datas=[tag])


async def _message(reader: asyncio.StreamReader) -> LLRPMessage | None:
    """The next one; None where the client closed between two. Raises LLRPError for one that can't be read."""
    header = await reader.read(1)
    if not header:
        return None
    header += await reader.readexactly(MESSAGE_HEADER_LEN - 1)
    length = int.from_bytes(header[2:6])
    if not MESSAGE_HEADER_LEN <= length <= _LONGEST:
        raise LLRPError(f"a message of {length} bytes")
    return decode_message(header + await reader.readexactly(length - MESSAGE_HEADER_LEN))


def _send(writer: asyncio.StreamWriter, message: LLRPMessage, number: int = 0) -> None:
    writer.write(message.to_bytes(message_id=number))


def _failed(code: int, why: str) -> params.LLRPStatus:
    return params.LLRPStatus(status_code=code, error_description=why)


def _attempt(status: int) -> LLRPMessage:
    told = params.ReaderEventNotificationData(
        timestamp=params.UTCTimestamp(microseconds=time.time_ns() // (SECOND // 1_000_000)),
        connection_attempt_event=params.ConnectionAttemptEvent(status=status),
    )
    return messages.READER_EVENT_NOTIFICATION(reader_event_notification_data=told)


def _capabilities() -> LLRPMessage:
    gen2 = bytes([enums.AirProtocols.EPCGlobalClass1Gen2])
    general = params.GeneralDeviceCapabilities(
        max_number_of_antenna_supported=ANTENNAS,
        can_set_antenna_properties=False,
        has_utc_clock_capability=True,
        device_manufacturer_name=0,
        model_name=MODEL,
        reader_firmware_version="mitoyen",
        receive_sensitivity_table_entrys=[params.ReceiveSensitivityTableEntry(index=1, receive_sensitivity_value=0)],
        gpio_capabilities=params.GPIOCapabilities(num_gp_is=0, num_gp_os=0),
        per_antenna_air_protocols=[
            params.PerAntennaAirProtocol(antenna_id=antenna, protocol_id=gen2) for antenna in range(1, ANTENNAS + 1)
        ],
    )
    powers = [
        params.TransmitPowerLevelTableEntry(index=1 + place, transmit_power_value=power)
        for place, power in enumerate(_POWERS)
    ]
    dense = params.C1G2UHFRFModeTableEntry(
        mode_identifier=0,
        dr_value=True,
        epchagtc_conformance=False,
        m_value=2,
        forward_link_modulation=0,
        spectral_mask_indicator=2,
        bdr_value=274_000,
        pie_value=1_500,
        min_tari_value=20_000,
        max_tari_value=20_000,
        step_tari_value=0,
    )  # Miller 4, as where many readers stand near one another
    band = params.UHFBandCapabilities(
        transmit_power_level_table_entrys=powers,
        frequency_information=params.FrequencyInformation(hopping=False, fixed_frequency_table=_channels()),
        air_protocol_uhfrf_mode_tables=[params.C1G2UHFRFModeTable(c1_g2_uhfrf_mode_table_entrys=[dense])],
    )
    return messages.GET_READER_CAPABILITIES_RESPONSE(
        llrp_status=_SUCCESS,
        general_device_capabilities=general,
        regulatory_capabilities=params.RegulatoryCapabilities(
            country_code=250,
            communications_standard=2,
            uhf_band_capabilities=band,  # France, ETSI EN 302 208
        ),
    )


def _channels() -> params.FixedFrequencyTable:
    """The four high-power channels of ETSI EN 302 208, in kHz."""
    return params.FixedFrequencyTable(frequency=[865_700, 866_300, 866_900, 867_500])
