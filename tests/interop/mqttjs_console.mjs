// A console of another make (mqtt.js): asks once, with Response Topic and Correlation Data, and says what it heard.
import mqtt from "mqtt";

const [port, request, response, payload] = process.argv.slice(2);
const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: "mqttjs" });
client.on("connect", async () => {
  await client.subscribeAsync(response, { qos: 1 });
  await client.publishAsync(request, payload, {
    qos: 1,
    properties: { responseTopic: response, correlationData: Buffer.from([0, 1, 255]), messageExpiryInterval: 30 },
  });
});
client.on("message", async (topic, heard, packet) => {
  const correlation = packet.properties?.correlationData?.toString("hex") ?? "";
  const expiry = packet.properties?.messageExpiryInterval ?? null;
  console.log(JSON.stringify({ topic, payload: heard.toString(), correlation, expiry, qos: packet.qos }));
  await client.endAsync();
});
